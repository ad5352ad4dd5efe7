"""The command line `postilion`; heavy libraries are imported by the command that needs them."""
