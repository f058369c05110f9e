"""The base class of everything that tfusq refuses."""


class Error(Exception):
  """An error that the user can fix: its message says what was wrong and what is allowed.

  Every exception class of tfusq derives from it, and from a built-in class where one fits, such as
  `ValueError`. The command line prints these in one line; any other exception is a bug.
  """


def message(error: BaseException) -> str:
  """Returns an error's text in words for users; the system's errors without their numbers.

  Args:
    error: Error, one of the system's among them.
  """
  if isinstance(error, OSError) and error.strerror:
    return ': '.join(filter(None, [str(error.filename or ''), error.strerror]))
  return str(error).strip() or type(error).__name__
