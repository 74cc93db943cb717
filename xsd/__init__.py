"""The unified schema: the XSD, its catalogue, compile-once validation, explainer, rules of one record, dictionary."""
