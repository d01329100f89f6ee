"""The commands, one module each with a function `run`, imported when its command is given."""
