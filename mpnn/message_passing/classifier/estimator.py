"""A network with few-bit weights as a scikit-learn classifier, trained by message passing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from mpnn.callbacks import Callback
from mpnn.classifiers.problems import blocks_of, in_few_shapes
from mpnn.message_passing.classifier import compiled
from mpnn.message_passing.classifier.inputs import coded_blocks, numbers_of
from mpnn.message_passing.classifier.many import ManyLearner
from mpnn.message_passing.classifier.regimes import defaults_by_regime
from mpnn.message_passing.classifier.settings import Parameters
from mpnn.message_passing.classifier.streaming import StreamLearner
from mpnn.message_passing.fields import damped_moments
from mpnn.message_passing.hyper import described
from mpnn.programs.forks import in_fresh_process

__all__ = ["MessagePassingClassifier"]


@described(Parameters.__dataclass_fields__, default="None")
class MessagePassingClassifier(ManyLearner, StreamLearner):
    """A sign network with discrete weights, trained by messages of the belief-propagation family.

    What is left at None is set to the best value known for the regime: full batch for up to 2000 samples,
    mini-batches above.

    Parameters
    ----------
    hidden : sequence of int >= 1 or layers, or ``"auto"``, default="auto"
        Widths of the hidden layers, or layers (:mod:`mpnn.layers`), such as ``(Conv2D(32, 5, stride=2), 64)``
        for images ``[n, height, width]`` or ``[n, height, width, channels]``; () for a single layer.
        ``"auto"``: 32 units for tables in code, 101 for more than two classes of other inputs, else none.
    weights : ``"binary"``, ``"ternary"``, int from 1 to 127, ``"gaussian"`` or ``"auto"``, default="auto"
        Levels -1 and +1; -1, 0 and 1; -P..P for an int P; or real weights. ``"auto"``: binary in networks of
        convolutions, else ternary.
    rule : str, default="bp_inspired"
        ``"mean_field"``, ``"amp"``, ``"bp_inspired"``, ``"belief_propagation"`` or ``"max_sum"``.
    prediction : ``"mode"``, ``"bayes"`` or ``"sample"``, default="mode"
        The discrete weights alone; means and variances of the weights, without sampling; or the average over
        drawn networks. May be changed after fitting.
    num_epochs : int >= 1, default=None
        Passes over the samples in mini-batches.
    batch_size : int >= 1, None or ``"auto"``, default="auto"
        Samples of a mini-batch; None: all. Full batch up to 2000 samples and 128 above where ``"auto"``.
    num_sweeps : int >= 1, default=None
        Sweeps of messages over each batch.
    {numbers}
    rate : float in (0, 1], default=None
        First step of mini-batches whose samples count once; falls to 0 by half a cosine. Instead of ``rho``.
    counts : float above 0, or a pair, default=None
        With ``rate``, how often a sample counts (of a pair, at first and at last): more makes the beliefs
        more certain.
    initial_field : float >= 0, default=None
        Scale of the random initial fields.
    activation : ``"sign"``, ``"relu"`` or ``"identity"``, default="sign"
        Of the hidden units.
    bias : bool or ``"auto"``, default="auto"
        Whether every layer has a constant input of 1; ``"auto"``: for tables in code.
    density : float in (0, 1], default=1.0
        Share of the links that exist; the others are removed at random before training.
    cavity : ``"auto"``, ``"second_order"``, ``"interpolated"``, ``"exact"`` or ``"none"``, default="auto"
        Of ``"bp_inspired"``. The first two need matrix products only; the interpolated one is exact to
        rounding in wide layers up to a polarization of 0.9, and within 1 % where weights are nearly certain.
        ``"none"`` is mean field. ``"auto"``: none in networks of convolutions, where messages of many
        positions make weights nearly certain, else of second order.
    small_fan_in : ``"auto"``, ``"exact"`` or ``"gaussian"``, default="auto"
        ``"exact"``: hidden layers of up to 16 units exchange exact messages and the beliefs are annealed to
        discrete weights (:mod:`mpnn.message_passing.exact.sweep`); for ternary weights, sign activations,
        rule ``"bp_inspired"``, two classes, full batch, no bias, and of the numbers only num_sweeps, damping
        and initial_field. ``"gaussian"``: messages as in wide layers. ``"auto"``: exact where possible.
    encoding : ``"auto"``, ``"table"`` or None, default="auto"
        ``"table"``: numbers become bits of -1 and +1 by thresholds, text and categories one bit a category
        (:class:`mpnn.encoders.TableEncoder`); missing values are 0. ``"auto"``: so, unless the columns are
        intensities of one scale, such as pixels and counts, or an ``input_scaling`` is set.
    input_scaling : str or None, default="auto"
        ``"root"``, ``"mild_root"``, ``"max_abs"``, ``"image"``, ``"standard"``, ``"centred"``,
        ``"features"``, None or ``"auto"``, which chooses; see
        :func:`mpnn.preprocessing.scaling.fit_transform_of`.
    rounding : ``"mode"``, ``"feedback"`` or ``"harden"``, default=None
        To discrete weights: the most probable levels; or the first layer one weight at a time, each repairing
        on the training inputs what earlier ones lost, then the mode (of networks of convolutions, every
        hidden layer so; and an output whose mode is 0 for two weights of five); or from there a descent
        over levels towards the beliefs' probabilities (:func:`mpnn.message_passing.hardening.harden`).
    freezing : sequence of float in [0, 1), default=None
        For mini-batches: shares of the epochs after which hidden layers, the lowest first, are rounded with
        feedback and stay as they are, such as (0.5, 0.8); the layers above learn on, and repair what rounding
        lost. It serves the discrete networks of convolutions. None: all layers learn to the end.
    output_gain : float above 0, None or ``"auto"``, default="auto"
        Of more than two classes, the largest gain of a step of the output (:mod:`mpnn.message_passing.gain`):
        where the batch's evidence would move it further, it counts less. None: as much as ``counts`` says.
        ``"auto"``: 1 in networks of images, else None.
    image_shape : triple of int or None, default=None
        Height, width and channels of flat images; None: that of the images given. For convolutions, pools
        and shifts.
    largest_shift : int >= 0, default=0
        Pixels that training images are shifted by at most, in every step anew and at random; then few images
        are trained in mini-batches, too.
    num_samples : int >= 1, default=32
        Networks drawn by ``prediction="sample"``.
    class_weight : ``"balanced"``, dict or None, default=None
        How often the samples of a class count, besides their own weights: a dict from labels to numbers above
        0, or ``"balanced"``: all classes count as much as the rarest one. Of more than 2,000 samples that
        then count less than 2,000 together, 2,000 are trained on: rows drawn at random represent the frequent
        classes.
    warm_start : bool, default=False
        Whether another ``fit`` goes on from the present beliefs, as its prior, with the present code or
        scaling of the inputs; the classes must be the same.
    early_stopping : bool, default=False
        Whether to hold samples out, to stop when the Bayesian prediction no longer gets better on them, and
        to go back to the best epoch. For mini-batches; not within a vote.
    validation_fraction : float in (0, 1), default=0.1
        Share of the samples that ``early_stopping`` holds out.
    n_iter_no_change : int >= 1, default=5
        Epochs without a better score after which ``early_stopping`` stops.
    callbacks : list of :class:`mpnn.callbacks.Callback` or None, default=None
        Called after every epoch; all samples in one batch make one epoch.
    verbose : {0, 1, 2}, default=0
        Nothing, a progress bar, or a line an epoch, on standard error.
    random_state : int, RandomState or None, default=None
        Seeds initial fields, order of samples and drawn networks.

    Notes
    -----
    ``noise`` and ``margin`` are shares of the norm of a layer's inputs. Of a table in code with 50 to 2,000
    samples, a noise at None is 1, 0.5 or 0.25 (of balanced classes also 2), and with 0.5 a sparsity at None
    is 0 or 2: whichever predicts best samples that are held out in turn.

    Attributes
    ----------
    classes_ : array [C]
        The labels, sorted; of two, the second is the positive one, and an output of 0 votes for it.
    weights_ : list of int8 arrays [inputs, outputs]
        One a layer.
    biases_ : list of int8 arrays [outputs], or None
        One a layer, None for a layer without; None where no layer has one.
    coef_, intercept_ : arrays [K, N], [K]
        Without hidden units: weights of the inputs (of tables in code, bits that
        ``encoder_.get_feature_names_out()`` names), and of the constant input.
    feature_importances_ : array [F]
        Without hidden units: each column's share of the sum of ``|coef_|``.
    state_ : State
        The beliefs, apart from the weights: :class:`mpnn.message_passing.network.State` of NumPy arrays.
    history_ : dict of arrays
        One row a sweep: ``error``, ``change``, ``polarization``; exact messages: ``error`` alone.
    image_shape_ : triple of int or None
        Height, width and channels of the training images; None: inputs were rows.
    input_unit_ : InputUnit or None
        Origin and unit in which inputs are measured first; None: as they are.
    input_transform_ : InputTransform
        What inputs go through; ``live`` marks those that were ever non-zero in training.
    n_iter_ : int
        Sweeps done.
    validation_scores_ : list of float
        One an epoch, with ``early_stopping``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from mpnn import MessagePassingClassifier
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> classifier = MessagePassingClassifier(random_state=0).fit(X[:40], y[:40])
    >>> sorted(set(classifier.weights_[0].ravel().tolist())) <= [-1, 0, 1]
    True
    >>> float(classifier.score(X[40:], y[40:])) > 0.95
    True
    """

    def __init__(
        self,
        hidden: Sequence[Any] | str = "auto",
        weights: str | int = "auto",
        rule: str = "bp_inspired",
        prediction: str = "mode",
        *,
        num_epochs: int | None = None,
        batch_size: int | str | None = "auto",
        num_sweeps: int | None = None,
        damping: Any = None,
        reinforcement: Any = None,
        rate: float | None = None,
        counts: float | None = None,
        rho: Any = None,
        sparsity: Any = None,
        noise: Any = None,
        margin: Any = None,
        replicas: float | None = None,
        coupling: float | None = None,
        initial_field: float | None = None,
        activation: str = "sign",
        bias: bool | str = "auto",
        density: float = 1.0,
        cavity: str = "auto",
        small_fan_in: str = "auto",
        encoding: str | None = "auto",
        input_scaling: str | None = "auto",
        rounding: str | None = None,
        freezing: Sequence[float] | None = None,
        output_gain: float | str | None = "auto",
        image_shape: Sequence[int] | None = None,
        largest_shift: int = 0,
        num_samples: int = 32,
        class_weight: str | Mapping[Any, float] | None = None,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        callbacks: Sequence[Callback] | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.weights = weights
        self.rule = rule
        self.prediction = prediction
        self.num_epochs = num_epochs
        self.batch_size = batch_size
        self.num_sweeps = num_sweeps
        self.damping = damping
        self.reinforcement = reinforcement
        self.rate = rate
        self.counts = counts
        self.rho = rho
        self.sparsity = sparsity
        self.noise = noise
        self.margin = margin
        self.replicas = replicas
        self.coupling = coupling
        self.initial_field = initial_field
        self.activation = activation
        self.bias = bias
        self.density = density
        self.cavity = cavity
        self.small_fan_in = small_fan_in
        self.encoding = encoding
        self.input_scaling = input_scaling
        self.rounding = rounding
        self.freezing = freezing
        self.output_gain = output_gain
        self.image_shape = image_shape
        self.largest_shift = largest_shift
        self.num_samples = num_samples
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    def _blocks(self, X: ArrayLike) -> Iterable[NDArray]:
        """Inputs as the transform takes them, some rows at a time."""
        X = self._as_rows(X)
        if self.encoder_ is None:
            return blocks_of(numbers_of(self, X))
        return coded_blocks(self.encoder_, X)

    def _rows(self, X: ArrayLike) -> Iterable[NDArray]:
        X = self._as_rows(X)
        return [numbers_of(self, X)] if self.encoder_ is None else coded_blocks(self.encoder_, X)

    @classmethod
    def _joint_decision(cls, members: Sequence["MessagePassingClassifier"]) -> Callable[[NDArray], Any]:
        first = members[0]
        how = first.spec_, *first._checked_prediction()
        models = jax.tree.map(lambda *leaves: np.stack(leaves), *(member._model() for member in members))
        return lambda block: compiled.decide_many(*how, models, jax.device_put(first.input_transform_(block)))

    def _scores(self, X: ArrayLike) -> NDArray:
        """``"mode"``: outputs over their spread; else log odds or log probabilities ``[n, K]``."""
        network = self._discrete_network()
        if network is None:
            return self._decided_by(compiled.score, X)
        return np.concatenate([network.scores(rows) for rows in self._rows(X)]).astype(np.float32)

    @in_fresh_process
    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Probabilities of the classes.

        ``"bayes"`` and ``"sample"``: from the beliefs. ``"mode"``: discrete weights have no uncertainty;
        their output, over its standard deviation were their signs random, goes through the normal
        distribution, which ranks samples by margin but is not calibrated.

        Parameters
        ----------
        X : array [n, features]
            The inputs.

        Returns
        -------
        probabilities : array [n, C]
            Rows sum to 1.
        """
        if self._discrete_network() is None:
            return self._decided_by(compiled.decide, X)[1]
        return in_few_shapes(compiled.probabilities, self._scores(X))

    def _decided_by(self, compiled_function: Callable[..., Any], X: ArrayLike) -> Any:
        """Scores ``[n, K]``, or these and probabilities ``[n, C]``, as the function returns them."""
        check_is_fitted(self)
        how, model = (self.spec_, *self._checked_prediction()), self._model()
        found = [
            in_few_shapes(lambda rows: compiled_function(*how, model, rows), self.input_transform_(block))
            for block in self._blocks(X)
        ]
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)

    @classmethod
    def defaults_by_regime(cls) -> dict[str, dict[str, Any]]:
        """Return what parameters at None and ``"auto"`` become, by the names of regimes and parameters."""
        return defaults_by_regime(Parameters.of(cls()))

    @property
    def weight_moments_(self) -> list[tuple[NDArray, NDArray]]:
        """Mean and variance ``[in, out]`` of each layer's weights under the beliefs, without biases."""
        check_is_fitted(self)
        moments = [damped_moments(layer) for layer in self._beliefs().weighted]
        inputs = [layer.shape[0] for layer in self.weights_]  # the state's further row is the bias
        return [
            (np.asarray(layer.mean)[:count], np.asarray(layer.variance)[:count])
            for layer, count in zip(moments, inputs, strict=True)
        ]

    @property
    def reads_tables(self) -> bool:
        """Whether inputs may be text, categories, missing or sparse: a code takes them."""
        return self.encoding is not None and (self.encoding == "table" or self.input_scaling == "auto")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = self.reads_tables
        tags.input_tags.categorical = tags.input_tags.sparse = self.reads_tables
        return tags

    def _model(self) -> compiled.Model:
        """The published weights (bias rows last, as the network multiplies them) and the beliefs."""
        beliefs: Any = self.state_ if self.prediction == "mode" else self._beliefs()
        numbers: Any = self.hyper_
        return compiled.Model(self._joined_weights(), beliefs, numbers, np.int32(self.sampling_seed_))
