"""The web application in one piece, and the project folder as it stands on disk; used by the command line."""
