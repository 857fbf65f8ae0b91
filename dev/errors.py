class StartError(RuntimeError):
    """Something could not be started; the message is shown in the terminal."""
