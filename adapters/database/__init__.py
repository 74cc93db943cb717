"""Generic source adapter for platforms that are read from a database: declarations in, Records out."""
