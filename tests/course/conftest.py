"""What drawn.py asserts is explained when it fails, as in a test file."""

import pytest

pytest.register_assert_rewrite("drawn")
