"""The commands, a file each, named as they are called. Each file's `command` is what the group imports."""
