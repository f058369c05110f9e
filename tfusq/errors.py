"""The base class of everything that tfusq refuses."""


class Error(Exception):
  """An error that the user can fix: its message says what was wrong and what is allowed.

  Every exception class of tfusq derives from it, and from a built-in class where one fits, such as
  `ValueError`. The command line prints these in one line; any other exception is a bug.
  """
