import json
import math

from hypothesis import given
from hypothesis import strategies as st
from page_project import HOSTILE

from topdb.reporting.documents import Code, Strong
from topdb.reporting.page.embedding import data_block, number, rich, script, source_hash


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_data_are_read_back_and_hold_no_markup(content):
    block = str(data_block(content))
    assert json.loads(block) == content
    assert not set("<>&\u2028\u2029") & set(block)


def test_running_text_is_escaped_part_by_part():
    assert rich(("a < b ", Code("<c>"), Strong("d & e"))) == (
        "a &lt; b <code>&lt;c&gt;</code><strong>d &amp; e</strong>"
    )
    assert "<" not in rich((HOSTILE,))


def test_a_library_cannot_end_its_script():
    assert "</script" not in script('a = "</script>"; b = "<!--"')
    assert "<!--" not in script('a = "</script>"; b = "<!--"')


def test_the_hash_is_that_of_the_policy():
    # Level 3 of the policy's specification gives this one for `alert('Hello, world.');`.
    expected = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"
    assert source_hash(script("alert('Hello, world.');")) == expected


def test_numbers_have_the_wide_sign_and_gaps_a_dash():
    assert number(-1.25, "+.1f") == "\u22121.2"
    assert number(3, "+.1f") == "+3.0"
    assert number(None) == number(math.nan) == "–"
