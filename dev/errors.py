class StartError(RuntimeError):
    """Something could not be started; the message is the sentence that the terminal shows."""
