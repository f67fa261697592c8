"""The Lambda layers and the code of the library's own functions."""
