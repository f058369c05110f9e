"""The package and the example plugins keep the rules of writing that CONTRIBUTING.md states."""

import textwrap
from pathlib import Path

import pytest

import handwriting

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='module')
def package():
  return handwriting.read([CHECKOUT / 'tfusq'])


@pytest.fixture
def written(tmp_path):
  """Writes a module and reads it back."""

  def write(code):
    path = tmp_path / 'module.py'
    path.write_text(textwrap.dedent(code))
    return handwriting.read([path])

  return write


def test_descriptions_begin_with_the_thing_that_they_describe():
  sources = handwriting.read([CHECKOUT / 'tfusq', CHECKOUT / 'plugins'])
  broken = [line for source in sources for line in handwriting.fragments(source)]
  assert not broken, '\n'.join(broken)


def test_nearly_all_public_callables_describe_their_arguments(package):
  records = handwriting.describable(package)
  missing = [f'{record.where} {record.name}' for record in records if not record.has_args]
  assert len(missing) <= 0.1 * len(records), '\n'.join(missing)


def test_public_classes_and_functions_are_documented(package):
  missing = [name for source in package for name in handwriting.undocumented(source)]
  assert not missing, '\n'.join(missing)


def test_comprehensions_are_simple(package):
  nested = [place for source in package for place in handwriting.nested_comprehensions(source)]
  assert not nested, '\n'.join(nested)


@pytest.mark.parametrize(
  'description, is_fragment',
  [
    ('Of the noise.', True),
    ('How many there are.', True),
    ('Offset of the latent.', False),
    ('Bytes by name.', False),
  ],
)
def test_a_fragment_is_recognized(written, description, is_fragment):
  (source,) = written(f'''
    def f(x):
      """Does.

      Args:
        x: {description}
      """
  ''')
  assert bool(handwriting.fragments(source)) == is_fragment


@pytest.mark.parametrize(
  'expression, count',
  [
    ('[x for x in y if x]', 0),
    ('[x for y in z for x in y]', 1),
    ('[x for x in y if x if y]', 1),
    ('sum([a for a in x] for x in y)', 1),
  ],
)
def test_a_nested_comprehension_is_recognized(written, expression, count):
  (source,) = written(expression)
  assert len(handwriting.nested_comprehensions(source)) == count


def test_an_overriding_method_inherits_the_description(written):
  sources = written('''
    class Base:
      """A base."""

      def f(self, x, y):
        """Does.

        Args:
          x: One.
          y: Two.
        """

    class Derived(Base):
      """Derived."""

      def f(self, x, y):
        return 0

      def g(self, x, y):
        return 0
  ''')
  described = {record.name: record.has_args for record in handwriting.describable(sources)}
  assert described == {'Base.f': True, 'Derived.f': True, 'Derived.g': False}
