"""The tool about exceptions shows the networks of its share and epochs, and what their answers rest on."""

import numpy as np
import pytest

from helpers.data import CLASSES
from helpers.explorers.exceptions import ExceptionsExplorer
from helpers.inside import exceptions


def test_it_shows_the_networks_of_its_share_and_epochs():
    tool = ExceptionsExplorer(share=0.1)
    study = tool.study
    for share, epochs in ((0.1, 1), (0.0, 2), (1.0, 1)):
        tool.set(share=share, epochs=epochs)
        e = int(np.flatnonzero(study.epochs == epochs)[0])
        for i, (line, points) in enumerate(zip(tool._lines, tool._points, strict=True)):
            np.testing.assert_allclose(line.get_ydata(), study.accuracy[:, e, :, i].mean(1))
            assert len(points.get_ydata()) == study.accuracy[:, e, :, i].size
        means = study.at(share, epochs).mean(0)
        shown = [name.get_text() for name in tool._names]
        assert shown == [f"{name}: {mean:.0%}" for name, mean in zip(exceptions.CONDITIONS, means, strict=True)]
        assert list(tool._now.get_xdata()) == [share, share]


def test_the_map_leaves_the_tag_at_the_right_end():
    tool, names = ExceptionsExplorer(), CLASSES["fashion"]
    for garment, (truth, tag) in enumerate(zip(tool.study.truths, tool.study.tags, strict=True)):
        for share, answer, why in ((0.0, tag, "as the tag does"), (1.0, truth, "what it is")):
            tool.set(share=share, garment=garment)
            assert tool._said.get_text().startswith(f"says {names[answer]}\n")
            assert tool._said.get_text().endswith(why)


def test_a_study_comes_back_from_its_file_and_is_small(tmp_path):
    study = exceptions.load()
    study.save(tmp_path / "study.pt")
    again = exceptions.load(tmp_path / "study.pt")
    assert np.array_equal(study.accuracy, again.accuracy)
    np.testing.assert_allclose(study.evidence, again.evidence, atol=1e-6)
    assert study.evidence.max() == 1
    assert exceptions.STORED.stat().st_size < 300_000
    assert repr(study) == "Study: 10 shares of exceptions, 3 numbers of epochs, 3 seeds"


def test_what_was_not_trained_is_named():
    with pytest.raises(ValueError, match=r"shares 0, 0\.02, .* and the epochs 1, 2, 5, not 0\.15 and 1"):
        exceptions.load().at(0.15, 1)
