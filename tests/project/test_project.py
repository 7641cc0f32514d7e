"""A project opens as it is: RELION's own without a change, and ours from its folders."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests_project import finished  # type: ignore[import-not-found]
