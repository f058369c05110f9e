"""`python -m tfusq`; the command line is `tfusq.cli`."""

from tfusq import cli

if __name__ == '__main__':
  cli.run()
