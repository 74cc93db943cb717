"""Control Bus and entry points: settings, composition root, command line, bench."""
