"""Message Translators: a declarative language, its linter, compiler and the platforms' documents."""
