"""The command line's menu: every command's options and help; the work is imported when a command is called."""
