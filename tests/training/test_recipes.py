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


def test_comments_may_differ_but_parameters_may_not(tmp_path):
  path = write(tmp_path, 0, RECIPE)
  other_version = RECIPE.replace('version 1', 'version 2')
  assert recipes.recipe_to_resume(other_version, None, path) == other_version
  with pytest.raises(TrainingError, match=r'(?s)-Codec.lmbda = 1.*\+Codec.lmbda = 2'):
    recipes.recipe_to_resume(RECIPE.replace('lmbda = 1', 'lmbda = 2'), None, path)


@pytest.mark.parametrize(
  'name',
  ['operative_config-0 (copy).gin', 'operative_config-.gin', 'old_operative_config-5.gin'],
)
def test_a_copy_of_a_recipe_is_none(name, tmp_path):
  write(tmp_path, 0, RECIPE)
  (tmp_path / name).write_text('other')
  assert recipes.newest_recipe(tmp_path).name == 'operative_config-0.gin'


FOLDERS = """TRAIN_IMAGES = '{folder}'
STEPS = {steps}
Linear.steps = 4
train/Patches.folder = %TRAIN_IMAGES
validation/Patches.folder = \\
    '{folder}/validation/of/a/long/name'
train.steps = %STEPS
"""


def test_folders_of_photographs_may_differ_and_steps_may_be_raised(tmp_path):
  path = write(tmp_path, 0, FOLDERS.format(folder='/old', steps=8))
  recipes.require_same(FOLDERS.format(folder='/new/place', steps=16), path)
  with pytest.raises(TrainingError, match='steps = 8, which can be raised but not lowered to 4'):
    recipes.require_same(FOLDERS.format(folder='/old', steps=4), path)


def test_changes_of_patches_may_be_missing_but_not_made(tmp_path):
  earlier = FOLDERS.format(folder='/old', steps=8)
  path = write(tmp_path, 0, earlier)
  present = (
    f'{earlier}Patches.flip = False\ntrain/Patches.scales = (1.0, 1.0)\nPatches.transpose = False\n'
  )
  recipes.require_same(present, path)
  recipes.require_same(f'{present}synthesis/KLT.squared_error = 1.0\n', path)
  for old, new in (('flip = False', 'flip = True'), ('(1.0, ', '(0.9, ')):
    with pytest.raises(TrainingError, match='another configuration'):
      recipes.require_same(present.replace(old, new), path)


def test_a_macro_that_also_binds_something_else_may_not_differ(tmp_path):
  text = FOLDERS.replace('Linear.steps = 4', 'Linear.steps = %STEPS')
  path = write(tmp_path, 0, text.format(folder='/old', steps=8))
  with pytest.raises(TrainingError, match=r'(?s)-STEPS = 8.*\+STEPS = 16'):
    recipes.require_same(text.format(folder='/old', steps=16), path)


def test_the_origin_of_the_networks_is_kept_and_can_be_said_again(tmp_path):
  joint = recipes.Origin('/joint', 'abcd')
  begun = recipes.with_origin(RECIPE, joint)
  path = write(tmp_path, 0, begun)
  moved = recipes.Origin('/moved/joint', 'abcd')
  trained_on = recipes.Origin('/joint', 'ef01')
  for origin in (None, joint, moved, trained_on):
    assert recipes.recipe_to_resume(RECIPE, origin, path) == begun
  with pytest.raises(TrainingError, match=r'(?s)-#: networks from /joint.*\+.*from /other'):
    recipes.recipe_to_resume(RECIPE, recipes.Origin('/other', 'ef01'), path)


def test_an_origin_that_an_earlier_version_recorded_is_known_by_its_path(tmp_path):
  path = write(tmp_path, 0, f'{RECIPE}#: networks from /joint\n')
  recipes.recipe_to_resume(RECIPE, recipes.Origin('/joint', 'abcd'), path)
  with pytest.raises(TrainingError, match='another configuration'):
    recipes.recipe_to_resume(RECIPE, recipes.Origin('/moved/joint', 'abcd'), path)


BEFORE = '# tensorflow 2.14.1\n# tfusq 0.1.0\n# gin-config 0.5.0\nCodec.lmbda = 1\n'


@pytest.mark.parametrize(
  'text',
  [
    BEFORE,
    BEFORE.replace('gin-config 0.5.0', 'gin-config 0.6.0'),
    BEFORE.replace('tensorflow', 'tensorflow-cpu'),
    BEFORE + '# tensorflow-compression 2.14.1\n',
    'Codec.lmbda = 1\n',
  ],
)
def test_versions_that_training_does_not_depend_on_may_change(text, tmp_path):
  recipes.require_same_versions(text, write(tmp_path, 0, BEFORE), accept_other=False)


@pytest.mark.parametrize(
  'now, change',
  [
    ('# tensorflow 2.17.1\n# tf_keras 2.17.0\n# tfusq 0.1.0\n', ['tensorflow 2.14.1', '2.17.1']),
    ('# tensorflow-cpu 2.17.1\n# tfusq 0.1.0\n', ['tensorflow 2.14.1', 'tensorflow 2.17.1']),
    ('# tensorflow 2.14.1\n# tfusq 0.2.0\n', ['tfusq 0.1.0', 'tfusq 0.2.0']),
  ],
)
def test_versions_that_training_depends_on_must_be_accepted(now, change, tmp_path, caplog):
  path = write(tmp_path, 0, BEFORE)
  with pytest.raises(TrainingError) as caught:
    recipes.require_same_versions(now, path, accept_other=False)
  message = str(caught.value)
  assert '--accept_other_versions' in message and '\n' not in message
  assert all(version in message for version in change)

  recipes.require_same_versions(now, path, accept_other=True)
  assert change[0] in caplog.text
