"""Record layer outputs (activations); hooks are always removed.

A *hook* is a function that PyTorch calls before or after a layer runs. A forgotten hook slows the network down or
changes its outputs, so no other module of this package registers hooks: :func:`hooked` does, and removes all of them
when its block ends, also when the network raises.

JupyterLab answers a slider in another thread than the one that runs the cells, so a tool and a cell may use one network
at the same time: a hook is called for its own thread only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from helpers.network.running import answer, as_floats, evaluating, network

Layer = str | nn.Module
Hook = Callable[..., object]


def layer_names(model: nn.Module) -> list[str]:
    """Dotted names of all layers that hold no other layer, as in ``features.conv1``."""
    return [name for name, module in _modules(model).items() if name and not list(module.children())]


def find_layer(model: nn.Module, layer: Layer) -> tuple[str, nn.Module]:
    """Name and module of a layer given by either of the two.

    Raises:
        ValueError: if the network has no such layer; the sentence lists the layers that it has.
        TypeError: if ``layer`` is neither a name nor a module.
    """
    modules = _modules(model)
    if isinstance(layer, str):
        if layer in modules:
            return layer, modules[layer]
        wanted = f"a layer named {layer!r}"
    elif isinstance(layer, nn.Module):
        for name, module in modules.items():
            if module is layer:
                return name, module
        wanted = f"this {type(layer).__name__} among its layers"
    else:
        raise TypeError(f"A layer is given by its dotted name or as the module itself, not as {type(layer).__name__}.")
    raise ValueError(f"The network does not have {wanted}; its layers are {', '.join(layer_names(model))}.")


@contextmanager
def hooked(hooks: Iterable[tuple[nn.Module, Hook]], before: Iterable[tuple[nn.Module, Hook]] = ()) -> Iterator[None]:
    """Own hooks for the length of a ``with`` block; passes of other threads do not meet them.

    Args:
        hooks: pairs of a module and a function ``(module, inputs, output)`` that is called after the module has run;
            what it returns, unless None, replaces the output.
        before: pairs of a module and a function ``(module, inputs)`` that is called before the module runs; what it
            returns, unless None, replaces the inputs.
    """
    with ExitStack() as stack:
        for module, hook in before:
            stack.callback(module.register_forward_pre_hook(_of_this_thread(hook)).remove)
        for module, hook in hooks:
            stack.callback(module.register_forward_hook(_of_this_thread(hook)).remove)
        yield


def _of_this_thread(hook: Hook) -> Hook:
    owner = threading.get_ident()
    return lambda *arguments: hook(*arguments) if threading.get_ident() == owner else None


class Store(dict[str, Tensor]):
    """Recorded outputs by layer name; a module finds its tensor too.

    ``store["features.conv1"]`` is what the layer answered last. A layer that the network uses several times in one
    pass has one tensor for each time in ``store.calls["features.relu"]``, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[str, list[Tensor]] = {}
        self._names: dict[nn.Module, list[str]] = {}

    def __missing__(self, layer: Layer) -> Tensor:
        for name in self._names.get(layer, []) if isinstance(layer, nn.Module) else []:
            if name in self:
                return self[name]
        known = ", ".join(self.calls)
        if layer in self.calls or layer in self._names:
            raise KeyError(f"Layer {layer!r} has not run yet: call the network inside the with block.")
        raise KeyError(f"Layer {layer!r} was not asked for; recorded are {known}.")


@contextmanager
def record(model: nn.Module, layers: Layer | Iterable[Layer], *, detach: bool = True) -> Iterator[Store]:
    """Record what layers answer while the network runs inside the block.

    ::

        with record(model, ["features.conv1", "features.relu1"]) as store:
            model(images)
        store["features.conv1"]  # (N, 32, 26, 26)

    Each recorded tensor is a copy of its own: an in-place ReLU behind the layer changes the network's tensor, not the
    recorded one. The numbers are those of Captum's ``LayerActivation``, which lets an in-place ReLU overwrite them.

    Args:
        model: any network.
        layers: one layer or several, each as dotted name or module.
        detach: False keeps the recorded tensors in the graph, so that gradients with respect to them can be taken.

    Yields:
        The :class:`Store`; it stays usable after the block and holds the last pass through the network.

    Raises:
        ValueError: for a layer that the network does not have.
        TypeError: when a recorded layer answers with something other than one tensor.
    """
    names: dict[str, nn.Module] = {}
    for layer in [layers] if isinstance(layers, (str, nn.Module)) else layers:
        name, module = find_layer(model, layer)
        names[name] = module
    store = Store()
    by_module = store._names
    for name, module in names.items():
        by_module.setdefault(module, []).append(name)
        store.calls[name] = []

    def start(*_: object) -> None:
        for name in names:
            store.calls[name].clear()

    def keep(module: nn.Module, _: object, output: object) -> Tensor | None:
        if not isinstance(output, Tensor):
            name, kind = by_module[module][0], type(output).__name__
            raise TypeError(f"Layer {name} answers with a {kind}; only single tensors can be recorded.")
        kept = output.detach().clone() if detach else output
        for name in by_module[module]:
            store[name] = kept
            store.calls[name].append(kept)
        # In the graph the original is kept and the network goes on with a copy, which it may overwrite.
        return None if detach else output.clone()

    with hooked([(module, keep) for module in by_module], before=[(model, start)]):
        yield store


def activations(model: nn.Module, x: Tensor | np.ndarray, layers: Layer | Iterable[Layer]) -> dict[str, Tensor]:
    """Outputs of layers for a batch of images, detached, by dotted name, in the order asked for.

    The network runs once, without gradients and in the mode (training or evaluation) it is in.

    Args:
        model: any network.
        x: the batch, ``(N, C, H, W)`` for the networks of the series.
        layers: one layer or several, each as dotted name or module.

    Raises:
        ValueError: for a layer that the network does not have, or that did not run.
    """
    like = next(network(model).parameters(), None)
    x = as_floats(x)
    with record(model, layers) as store, torch.no_grad():
        answer(model, x if like is None else x.to(like.device, like.dtype))
    for name, calls in store.calls.items():
        if not calls:
            raise ValueError(f"The network did not use its layer {name} for this input.")
    return {name: store[name] for name in store.calls}


def map_layers(model: nn.Module, x: Tensor | np.ndarray) -> list[str]:
    """Dotted names of the layers that answer the batch ``x`` with feature maps ``(N, C, h, w)`` of more than one pixel.

    Raises:
        ValueError: if there is none.
    """
    with evaluating(network(model)), record(model, layer_names(model)) as store, torch.no_grad():
        answer(model, as_floats(x))
    found = [name for name in store if store[name].ndim == 4 and store[name].shape[-1] > 1]
    if not found:
        raise ValueError("This network has no layer with feature maps: it is not a convolutional network.")
    return found


def _modules(model: nn.Module) -> dict[str, nn.Module]:
    """Every module by dotted name; a module that is used under two names is listed under both."""
    return dict(model.named_modules(remove_duplicate=False))
