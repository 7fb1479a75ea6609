"""Trained networks on disk: the weights in one file, and beside them a card that says what they are and proves it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from helpers.data.download import PROJECT
from helpers.data.sets import CLASSES
from helpers.network.models import ConvNet

FOLDER = PROJECT / "data" / "checkpoints"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _plain(name: str) -> str:
    """The name itself, if it can only mean a file in the folder of checkpoints."""
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.+ -]*", name):
        raise ValueError(f"A checkpoint has a plain name such as 'mine', without slashes or folders; got {name!r}.")
    return name


def _finite(weights: Mapping[str, torch.Tensor]) -> bool:
    """Whether all numbers are numbers: training with too large a learning rate leaves NaN behind."""
    return all(value.is_floating_point() and bool(value.isfinite().all()) for value in weights.values())


def save(model: ConvNet, name: str, card: dict[str, Any] | None = None, folder: Path | None = None) -> Path:
    """Write ``name.pt`` (the weights) and ``name.json`` (the card) and return the path of the weights.

    Both files are written beside their place and moved there whole, so an interrupted save never leaves half a network.

    Args:
        model: a :class:`~helpers.network.models.ConvNet`.
        name: file name without ending.
        card: anything worth remembering: data set, accuracy, seed, command. Architecture and checksum are added.
        folder: where to put them; ``data/checkpoints`` if not given.

    Raises:
        TypeError: for what is no ConvNet.
        ValueError: if the name is no file name, or weights are not finite.
        PermissionError: if the folder cannot be written.
    """
    folder = FOLDER if folder is None else Path(folder)
    weights = folder / f"{_plain(name)}.pt"
    if not isinstance(model, ConvNet):
        raise TypeError(f"A checkpoint holds a ConvNet of helpers.network.models; got {type(model).__name__}.")
    if not _finite(model.state_dict()):
        raise ValueError("This network has weights that are NaN or infinite: train it again with a smaller lr.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = weights.with_suffix(".pt.part")
        torch.save({key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}, part)
        part.replace(weights)
        full = {**(card or {}), "architecture": model.arguments, "sha256": _digest(weights)}
        part = folder / f"{name}.json.part"
        part.write_text(json.dumps(full, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(folder / f"{name}.json")
    except (PermissionError, RuntimeError) as error:
        raise PermissionError(f"Cannot write to {folder}: pass folder= with a place you may write to.") from error
    return weights


def card(name: str, folder: Path | None = None) -> dict[str, Any]:
    """The card of a checkpoint: data set with its checksum, test accuracy, seed, and the command that made it.

    Raises:
        FileNotFoundError: if there is no such checkpoint; the message names those that exist.
    """
    folder = FOLDER if folder is None else Path(folder)
    path = folder / f"{_plain(name)}.json"
    if not path.is_file():
        found = sorted(p.stem for p in folder.glob("*.json")) if folder.is_dir() else []
        raise FileNotFoundError(
            f"There is no checkpoint {name!r} in {folder}; "
            + (f"choose one of {', '.join(found)}." if found else "`make checkpoints` trains them.")
        )
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # not JSON, or not even text
        raise ValueError(f"The card {path} is damaged ({error}): restore it, or run `make checkpoints`.") from error
    if not isinstance(described, dict):
        raise ValueError(f"The card {path} is damaged (it is not a table): restore it, or run `make checkpoints`.")
    return described


def load(name: str = "mnist", folder: Path | None = None) -> ConvNet:
    """A trained :class:`~helpers.network.models.ConvNet` in evaluation mode, on the CPU, checked against its card.

    The file is read with ``weights_only=True``: it can hold numbers, never code.

    Args:
        name: ``"mnist"``, ``"fashion"``, or the name given to :func:`save`.
        folder: where to look; ``data/checkpoints`` if not given.

    Raises:
        FileNotFoundError: if the weights or their card are missing.
        ValueError: if the weights are not the ones the card describes.
    """
    folder = FOLDER if folder is None else Path(folder)
    described = card(name, folder)
    path = folder / f"{name}.pt"
    if name in CLASSES and described.get("data set", name) != name:
        raise ValueError(
            f"The card of {name!r} is that of a network for {described['data set']!r}: restore it, or run "
            "`make checkpoints`."
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"The card of {name!r} is there but its weights {path} are not: run `make checkpoints`."
        )
    if _digest(path) != described.get("sha256"):
        raise ValueError(
            f"{path} is not the file its card describes (it is damaged or from elsewhere): "
            "restore it, or run `make checkpoints`."
        )
    try:
        arguments = dict(described["architecture"])
        arguments["filters"] = tuple(arguments["filters"])
        model = ConvNet(**arguments)
        weights = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(weights)
    except Exception as error:  # PyTorch has a dozen ways to say that a file is not one of its own
        raise ValueError(
            f"{path} does not hold the weights of the network its card describes: restore both, "
            "or run `make checkpoints`."
        ) from error
    if not _finite(weights):
        raise ValueError(
            f"{path} holds weights that are NaN or infinite, so the network can answer nothing: restore it, or run "
            "`make checkpoints`."
        )
    return model.eval()


def tensors(path: Path, names: Iterable[str], again: str) -> dict[str, torch.Tensor]:
    """A table of tensors that the series ships, such as a recording of a training; numbers only, never code.

    Args:
        path: the file.
        names: of its tensors, all of them.
        again: the command that makes the file again, for the sentence that says that it is damaged.

    Raises:
        FileNotFoundError: if it is not there.
        ValueError: if it is cut, damaged, or another file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: restore it, or make it with `{again}`.")
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # PyTorch has a dozen ways to say that a file is not one of its own
        kept = None
    if not isinstance(kept, dict) or set(kept) != set(names) or not all(map(torch.is_tensor, kept.values())):
        raise ValueError(f"{path} is damaged or another file: restore it, or make it again with `{again}`.")
    return kept
