"""A shell that starts the suite in the background has it ignore Ctrl-C, which tests here send."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
