"""Files and folders: what a path means, and outputs that are written completely or not at all."""

from tfusq.files.inputs import is_standard_input as is_standard_input
from tfusq.files.inputs import opened as opened
from tfusq.files.inputs import read as read
from tfusq.files.inputs import read_part as read_part
from tfusq.files.outputs import Exists as Exists
from tfusq.files.outputs import check_folder as check_folder
from tfusq.files.outputs import check_output as check_output
from tfusq.files.outputs import draft_of as draft_of
from tfusq.files.outputs import is_standard_output as is_standard_output
from tfusq.files.outputs import is_stream as is_stream
from tfusq.files.outputs import new_folder as new_folder
from tfusq.files.outputs import write as write
from tfusq.files.paths import AnyPath as AnyPath
from tfusq.files.paths import PathError as PathError
from tfusq.files.paths import RemotePath as RemotePath
from tfusq.files.paths import is_remote as is_remote
from tfusq.files.paths import local_path as local_path
from tfusq.files.paths import same_file as same_file
from tfusq.files.paths import to_path as to_path
from tfusq.files.patterns import literal as literal
from tfusq.files.walk import walk as walk
