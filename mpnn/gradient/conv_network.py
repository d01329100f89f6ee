"""Binary convolutional networks from scratch: residual, dense and plain blocks of sign weights and sign
units.

Residual and dense blocks are BinaryResNetE and BinaryDenseNet (Bethge et al. 2019, "Back to Simplicity",
arXiv:1906.08637, with the details of its authors' networks in larq-zoo): real first and last layers and real
1x1 convolutions where the resolution changes, gradient cancellation at ``|x| > clip`` for units and kernels,
no scaling factors, many shortcuts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from mpnn.callbacks import Callback
from mpnn.gradient import surrogates
from mpnn.gradient.classifier import GradientClassifier
from mpnn.gradient.families import Family, LatentBinary
from mpnn.gradient.method import Leaves, Method, Plan, cosine, partitioned
from mpnn.gradient.optimizers import keep_in_box
from mpnn.gradient.perceptron import Discrete
from mpnn.linear_maps.conv import convolve
from mpnn.preprocessing.augmentation import ImageAugmentation
from mpnn.validation import above_zero, one_of

__all__ = ["BinaryConvClassifier", "BinaryConvNet", "ConvSpec"]

BLOCKS = ("residual", "dense", "plain")
# Pixels that a training image is shifted by at most.
LARGEST_SHIFT = 4
# Channels after the transition of a dense network are a multiple of this, where there are as many.
CHANNELS_STEP = 32


@dataclass(frozen=True)
class ConvSpec:
    """A network's shape.

    Parameters
    ----------
    image_shape : triple of int
        Height, width, channels.
    num_outputs : int
        Number of outputs.
    block : str, default="residual"
        ``"residual"``, ``"dense"`` or ``"plain"``.
    stages : tuple of pairs of int, default=((32, 2), (64, 2))
        Channels and blocks of each stage; the resolution halves between stages; for dense blocks channels is
        the growth.
    stem : pair of int, default=(32, 2)
        Channels and stride of the real first convolution.
    clip : float > 0, default=1.25
        Half-width of the sign's surrogate, and of the box of the latent kernels.
    reductions : tuple of float >= 1, default=()
        Of dense blocks: by how much each transition between stages divides the channels; one for each but
        the last stage.
    norm_momentum : float in [0, 1), default=0.9
        Weight of the old running statistics.
    """

    image_shape: tuple[int, int, int]
    num_outputs: int
    block: str = "residual"
    stages: tuple[tuple[int, int], ...] = ((32, 2), (64, 2))
    stem: tuple[int, int] = (32, 2)
    clip: float = 1.25
    reductions: tuple[float, ...] = ()
    norm_momentum: float = 0.9

    def __post_init__(self) -> None:
        one_of("block", self.block, BLOCKS)
        if not self.stages or any(channels < 1 or blocks < 1 for channels, blocks in self.stages):
            raise ValueError(f"stages must hold (channels, blocks), each at least 1, got {self.stages}")
        if self.block == "residual" and self.stem[0] != self.stages[0][0]:
            raise ValueError(
                f"stem must have the first stage's channels, {self.stages[0][0]}, got {self.stem[0]}"
            )
        if self.block != "dense":
            return
        if len(self.reductions) != len(self.stages) - 1 or min(self.reductions, default=1.0) < 1.0:
            raise ValueError(
                f"reductions must be {len(self.stages) - 1} numbers of at least 1, one for each transition "
                f"between stages, got {self.reductions}"
            )


class BinaryConv(nnx.Module):
    """Binary 3x3 convolution of the signs of its inputs."""

    def __init__(
        self, fan_in: int, fan_out: int, spec: ConvSpec, family: Family, stride: int = 1, *, rngs: nnx.Rngs
    ) -> None:
        self.kernel = Discrete(family.init(rngs.params(), (3, 3, fan_in, fan_out)))
        self.clip, self.stride = spec.clip, stride

    def __call__(self, x: Array) -> Array:
        """Images ``[B, height, width, channels]``."""
        return convolve(surrogates.sign(x, "clip", self.clip), self.kernel[...], self.stride)


class Norm(nnx.Module):
    """Batch norm whose statistics leave out absent images."""

    def __init__(self, channels: int, spec: ConvSpec, *, rngs: nnx.Rngs) -> None:
        self.norm = nnx.BatchNorm(channels, momentum=spec.norm_momentum, rngs=rngs)

    def __call__(self, x: Array, train: bool, mask: Array | None) -> Array:
        """Images ``[B, height, width, channels]``."""
        return self.norm(x, use_running_average=not train, mask=mask)


class ResidualBlock(nnx.Module):
    """Signs, binary convolution, batch norm, and the inputs added.

    A new width halves the resolution: by the stride of the binary convolution, and for what is added by a
    mean over 2x2 pixels, a real 1x1 convolution and batch norm.
    """

    def __init__(self, fan_in: int, width: int, halve: bool, spec: ConvSpec, family: Family, *, rngs: Any):
        self.conv = BinaryConv(fan_in, width, spec, family, 2 if halve else 1, rngs=rngs)
        self.norm = Norm(width, spec, rngs=rngs)
        self.halve = halve
        self.project = nnx.Linear(fan_in, width, use_bias=False, rngs=rngs) if halve else None
        self.project_norm = Norm(width, spec, rngs=rngs) if halve else None

    def __call__(self, x: Array, train: bool, mask: Array | None) -> Array:
        """Images ``[B, height, width, channels]``."""
        new = self.norm(self.conv(x), train, mask)
        if self.project is None or self.project_norm is None:
            return x + new
        pooled = nnx.avg_pool(x, (2, 2), strides=(2, 2), padding="SAME", count_include_pad=False)
        return self.project_norm(self.project(pooled), train, mask) + new


class DenseBlock(nnx.Module):
    """Batch norm, signs, a binary convolution whose channels are appended to the inputs."""

    def __init__(self, fan_in: int, growth: int, spec: ConvSpec, family: Family, *, rngs: nnx.Rngs) -> None:
        self.norm = Norm(fan_in, spec, rngs=rngs)
        self.conv = BinaryConv(fan_in, growth, spec, family, rngs=rngs)

    def __call__(self, x: Array, train: bool, mask: Array | None) -> Array:
        """Images ``[B, height, width, channels]``."""
        return jnp.concatenate([x, self.conv(self.norm(x, train, mask))], axis=-1)


class DenseTransition(nnx.Module):
    """Batch norm, maximum over 2x2 pixels, ReLU, and a real 1x1 convolution to fewer channels."""

    def __init__(self, fan_in: int, fan_out: int, spec: ConvSpec, *, rngs: nnx.Rngs) -> None:
        self.norm = Norm(fan_in, spec, rngs=rngs)
        self.project = nnx.Linear(fan_in, fan_out, use_bias=False, rngs=rngs)

    def __call__(self, x: Array, train: bool, mask: Array | None) -> Array:
        """Images ``[B, height, width, channels]``."""
        x = nnx.max_pool(self.norm(x, train, mask), (2, 2), strides=(2, 2))
        return self.project(nnx.relu(x))


class PlainBlock(nnx.Module):
    """Batch norm, signs, binary convolution; before a new stage, a maximum over 2x2 pixels."""

    def __init__(self, fan_in: int, width: int, halve: bool, spec: ConvSpec, family: Family, *, rngs: Any):
        self.norm = Norm(fan_in, spec, rngs=rngs)
        self.conv = BinaryConv(fan_in, width, spec, family, rngs=rngs)
        self.halve = halve

    def __call__(self, x: Array, train: bool, mask: Array | None) -> Array:
        """Images ``[B, height, width, channels]``."""
        x = nnx.max_pool(x, (2, 2), strides=(2, 2)) if self.halve else x
        return self.conv(self.norm(x, train, mask))


class BinaryConvNet(nnx.Module):
    """Real stem, stages of binary blocks, global mean (plain: flat) and a real output layer."""

    def __init__(self, spec: ConvSpec, family: Family, *, rngs: nnx.Rngs) -> None:
        self.spec = spec
        channels, _ = spec.stem
        shape = (3, 3, spec.image_shape[2], channels)
        self.stem = nnx.Param(nnx.initializers.lecun_normal()(rngs.params(), shape))
        blocks: list[nnx.Module] = []
        for stage, (width, count) in enumerate(spec.stages):
            if stage > 0 and spec.block == "dense":
                reduced = _reduced(channels, spec.reductions[stage - 1])
                blocks.append(DenseTransition(channels, reduced, spec, rngs=rngs))
                channels = reduced
            for index in range(count):
                halve = stage > 0 and index == 0
                if spec.block == "dense":
                    blocks.append(DenseBlock(channels, width, spec, family, rngs=rngs))
                    channels += width
                    continue
                kind = ResidualBlock if spec.block == "residual" else PlainBlock
                blocks.append(kind(channels, width, halve, spec, family, rngs=rngs))
                channels = width
        self.blocks = nnx.List(blocks)
        self.last_norm = None if spec.block == "residual" else Norm(channels, spec, rngs=rngs)
        self.output = nnx.Linear(self._num_features(channels), spec.num_outputs, rngs=rngs)

    def __call__(
        self, x: Array, *, train: bool = False, key: Array | None = None, mask: Array | None = None
    ) -> Array:
        """Outputs ``[B, K]`` of flat images ``[B, height * width * channels]``."""
        spec = self.spec
        mask = None if mask is None else mask[:, :, None, None]
        x = convolve(x.reshape(-1, *spec.image_shape), self.stem[...], spec.stem[1])
        for block in self.blocks:
            x = block(x, train, mask)
        if self.last_norm is not None:
            x = self.last_norm(x, train, mask)
        if spec.block != "plain":
            return self.output(jnp.mean(nnx.relu(x), axis=(1, 2)))
        pooled = nnx.max_pool(x, (2, 2), strides=(2, 2))
        return self.output(surrogates.sign(pooled, "clip", spec.clip).reshape(len(x), -1))

    def _num_features(self, channels: int) -> int:
        if self.spec.block != "plain":
            return channels
        halvings = 2 ** len(self.spec.stages)
        height, width = (-(-side // self.spec.stem[1]) // halvings for side in self.spec.image_shape[:2])
        return height * width * channels


def _reduced(channels: int, reduction: float) -> int:
    """Channels after a transition: a multiple of 32 where there are as many."""
    wanted = int(channels // reduction)
    return CHANNELS_STEP * round(wanted / CHANNELS_STEP) or max(wanted, 1)


@dataclass(frozen=True)
class ConvolutionalStraightThrough(Method):
    """Straight-through on binary convolutions, Adam throughout.

    Parameters
    ----------
    learning_rate : float > 0, default=0.004
        Initial rate of Adam, a cosine to 0.
    """

    learning_rate: float = 0.004

    def build(self, rngs: nnx.Rngs) -> nnx.Module:
        """The convolutional network."""
        return BinaryConvNet(self.network, self.family, rngs=rngs)

    build_point = build

    def read(self, latents: Leaves, key: Array, step: Array, plan: Plan | None) -> Leaves:
        """Signs of the latent weights, without a gradient beyond the clip."""
        return tuple(surrogates.sign(latent, "clip", self.network.clip) for latent in latents)

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """Adam, cosine; latent weights within the clip."""
        adam = optax.adam(cosine(self.learning_rate, plan))
        clip = self.network.clip
        return partitioned(optax.chain(adam, keep_in_box(-clip, clip)), adam)


class BinaryConvClassifier(GradientClassifier):
    """Convolutional network with binary weights and sign units, trained from scratch by straight-through
    estimation.

    **Not binary**: the first convolution, the output layer and the 1x1 convolutions between stages; batch
    norm's scales, shifts and running statistics; what shortcuts carry; inputs and outputs. ``weights_`` are
    the binary kernels ``[3, 3, in, out]``.

    Parameters
    ----------
    image_shape : triple of int, default=(32, 32, 3)
        Height, width and channels of the flat inputs.
    block : str, default="residual"
        ``"residual"`` (a shortcut around every convolution), ``"dense"`` or ``"plain"``.
    stages : sequence of pairs of int, default=((32, 2), (64, 2))
        Channels and blocks of each stage; the resolution halves between them; for dense blocks channels is
        the growth. ResNetE-18: ``((64, 4), (128, 4), (256, 4), (512, 4))``; BinaryDenseNet-28: dense,
        ``((64, 6), (64, 6), (64, 6), (64, 5))``; VGG-small: plain, ``((128, 1), (256, 2), (512, 2))``.
    stem : pair of int, default=(32, 2)
        Channels and stride of the real first convolution.
    prediction : str, default="mode"
        ``"mode"``, ``"bayes"`` or ``"sample"``; a point estimate answers the same to all three.
    clip : float > 0, default=1.25
        Half-width of the sign's surrogate, and of the box of the latent kernels; BinaryDenseNet: 1.3.
    reductions : float or sequence of float >= 1, default=2.0
        Of dense blocks: by how much each transition between stages divides the channels, to a multiple of 32
        where there are as many. BinaryDenseNet-28: ``(2.7, 2.7, 2.2)``.
    learning_rate : float > 0, default=0.004
        Initial rate of Adam, a cosine to 0.
    augment : bool, default=False
        Whether to mirror training images and shift them by up to four pixels, at random.
    num_epochs : int or None, default=None
        Passes over the samples; None: 200 with up to 2000 samples, 20 with more.
    batch_size : int, "auto" or None, default="auto"
        Samples of a mini-batch; None: full batches; ``"auto"``: full batches up to 2000 samples, 128 above.
    input_scaling : str or None, default="standard"
        How inputs are scaled, see :func:`mpnn.preprocessing.scaling.fit_transform_of`.
    num_samples : int, default=32
        Not used; here for all methods' common interface.
    callbacks : list of :class:`mpnn.callbacks.Callback` or None, default=None
        Called after every epoch; in a vote with ``pairs_per_batch``, after every group of pairs.
    verbose : {0, 1, 2}, default=0
        Nothing, a progress bar, or a line an epoch, on standard error.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (32, 32, 3),
        block: str = "residual",
        stages: Sequence[Sequence[int]] = ((32, 2), (64, 2)),
        prediction: str = "mode",
        *,
        stem: Sequence[int] = (32, 2),
        clip: float = 1.25,
        reductions: float | Sequence[float] = 2.0,
        learning_rate: float = 0.004,
        augment: bool = False,
        num_epochs: int | None = None,
        batch_size: int | str | None = "auto",
        input_scaling: str | None = "standard",
        num_samples: int = 32,
        callbacks: Sequence[Callback] | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.image_shape = image_shape
        self.block = block
        self.stages = stages
        self.prediction = prediction
        self.stem = stem
        self.clip = clip
        self.reductions = reductions
        self.learning_rate = learning_rate
        self.augment = augment
        self.num_epochs = num_epochs
        self.batch_size = batch_size
        self.input_scaling = input_scaling
        self.num_samples = num_samples
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    image_shape: Sequence[int]
    # The stages take the place of hidden widths, and augmentation that of shifts.
    hidden, largest_shift = (), 0

    def _method(self, widths: tuple[int, ...], plan: Plan) -> ConvolutionalStraightThrough:
        height, width, channels = (int(side) for side in self.image_shape)
        if height * width * channels != widths[0]:
            raise ValueError(f"image_shape must hold {widths[0]} numbers, got {tuple(self.image_shape)}")
        spec = ConvSpec(
            (height, width, channels),
            widths[-1],
            self.block,
            tuple((int(width), int(count)) for width, count in self.stages),
            (int(self.stem[0]), int(self.stem[1])),
            above_zero("clip", self.clip),
            self._reductions(),
        )
        augmentation = None
        if self.augment:
            augmentation = ImageAugmentation(spec.image_shape, LARGEST_SHIFT, mirror=True, padding="constant")
        return ConvolutionalStraightThrough(
            network=spec,
            family=LatentBinary(),
            learning_rate=above_zero("learning_rate", self.learning_rate),
            augmentation=augmentation,
        )

    def _reductions(self) -> tuple[float, ...]:
        """One number for each transition."""
        if self.block != "dense":
            return ()
        if isinstance(self.reductions, int | float):
            return (float(self.reductions),) * (len(self.stages) - 1)
        return tuple(map(float, self.reductions))
