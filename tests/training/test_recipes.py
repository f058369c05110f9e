import pytest

from tfusq.training import recipes
from tfusq.training.recipes import TrainingError

RECIPE = recipes.with_photographs('# version 1\nCodec.lmbda = 1\n', '4 abcd')


def write(folder, step, text):
  path = folder / f'operative_config-{step}.gin'
  path.write_text(text)
  return path


def test_the_newest_recipe_is_that_of_the_last_start(tmp_path):
  for step in (0, 900, 1000):
    write(tmp_path, step, '')
  assert recipes.newest_recipe(tmp_path).name == 'operative_config-1000.gin'


def test_a_folder_without_a_recipe_is_no_run(tmp_path):
  with pytest.raises(TrainingError, match='is no run'):
    recipes.newest_recipe(tmp_path)


def test_comments_may_differ_but_photographs_may_not(tmp_path):
  path = write(tmp_path, 0, RECIPE)
  other_version = RECIPE.replace('version 1', 'version 2')
  assert recipes.recipe_to_resume(other_version, None, path) == other_version
  with pytest.raises(TrainingError, match=r'(?s)-#: photographs 4 abcd.*\+#: photographs 5 abcd'):
    recipes.recipe_to_resume(RECIPE.replace('4 abcd', '5 abcd'), None, path)


def test_the_origin_of_the_networks_is_kept_and_can_be_said_again(tmp_path):
  begun = recipes.with_origin(RECIPE, '/joint')
  path = write(tmp_path, 0, begun)
  assert recipes.recipe_to_resume(RECIPE, None, path) == begun
  assert recipes.recipe_to_resume(RECIPE, '/joint', path) == begun
  with pytest.raises(TrainingError, match=r'(?s)-#: networks from /joint.*\+.*from /other'):
    recipes.recipe_to_resume(RECIPE, '/other', path)
