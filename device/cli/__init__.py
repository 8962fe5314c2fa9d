"""The command line: the only place where the parts of a speaker are chosen."""
