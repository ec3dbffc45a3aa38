"""The commands of the interactive loop, by what they are about; each file has its `COMMANDS`."""
