"""The command line: one verb a file, each a thin shell over the library that imports nothing heavy before it runs."""
