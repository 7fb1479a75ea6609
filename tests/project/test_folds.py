"""What an answer stores is folded, whole, and found again; what is not an answer is left as it is."""

import nbformat
import pytest

from tools import folds


def output(data, **about):
    return nbformat.v4.new_output("display_data", data=data, metadata=about)


@pytest.fixture
def answer():
    cell = nbformat.v4.new_code_cell("plots.show()", metadata={"tags": ["answer"]})
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="3 < 5 of them\n"),
        output(
            {"image/png": "aGVs\nbG8=\n", "text/plain": "words"},
            **{"image/png": {"alt": 'A "7" <and> a 1', "width": 300}},
        ),
        output({"text/html": "<b>bold</b>", "text/plain": "bold"}),
    ]
    return cell


def test_everything_that_a_cell_showed_lies_in_one_closed_fold(answer):
    folds.fold(answer)
    assert folds.is_folded(answer)
    (stored,) = answer.outputs
    source = stored.data["text/html"]
    assert source.startswith("<details><summary>")
    assert "open>" not in source
    assert "<pre>3 &lt; 5 of them\n</pre>" in source
    assert 'alt="A &quot;7&quot; &lt;and&gt; a 1"' in source
    assert 'width="300"' in source
    assert "<b>bold</b>" in source
    assert "words" not in stored.data["text/plain"]
    assert "7" not in stored.data["text/plain"]


def test_folding_twice_changes_nothing(answer):
    folds.fold(answer)
    before = nbformat.from_dict(answer)
    folds.fold(answer)
    assert answer == before


def test_pictures_are_found_folded_or_not(answer):
    expected = [('A "7" <and> a 1', "aGVsbG8=")]
    assert [(alt, "".join(data.split())) for alt, data in folds.pictures(answer)] == expected
    folds.fold(answer)
    assert folds.pictures(answer) == expected


def test_only_answers_are_folded(answer):
    answer.metadata.tags = ["exercise"]
    folds.fold(answer)
    assert len(answer.outputs) == 3
    answer.metadata.tags, answer.outputs = ["answer"], []
    folds.fold(answer)
    assert answer.outputs == []


def test_an_error_is_not_hidden_in_a_fold(answer):
    answer.outputs.append(nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[]))
    folds.fold(answer)
    assert answer.outputs[-1].output_type == "error"
