"""The commands, one module for each topic. They import what they run when they run it, so that `--help` is quick."""
