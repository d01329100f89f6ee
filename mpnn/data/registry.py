"""The data sets by name: one row a set, with what is known about it before a file is opened."""

from dataclasses import dataclass
from difflib import get_close_matches

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR_JPEG = "cifar10_jpeg.npz"


@dataclass(frozen=True)
class DatasetInfo:
    """One data set, as published.

    Parameters
    ----------
    name : str
        The name that `load_dataset` takes.
    task : str
        What is to be told apart.
    train_shape, test_shape : tuple of int
        Shapes of `x_train` and `x_test`, samples first.
    class_names : tuple of str
        Names of the classes 0, 1, ...
    source : str
        Where the set is published.
    licence : str
        Licence and citation in one line.
    files : str, default=""
        The set's own public format beside `NAME.npz`, in words; empty for sets bundled with scikit-learn.
    openml_id : int or None, default=None
        OpenML data id that a download uses, None where it uses another source or none.
    checksums : tuple of pairs of str, default=()
        Published MD5 sums by file name. The sums of IDX files are those of the uncompressed files.
    note : str, default=""
        A caveat that holds wherever the files came from.
    """

    name: str
    task: str
    train_shape: tuple[int, ...]
    test_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    source: str
    licence: str
    files: str = ""
    openml_id: int | None = None
    checksums: tuple[tuple[str, str], ...] = ()
    note: str = ""

    @property
    def bundled(self) -> bool:
        """Whether the set comes with scikit-learn and needs no file."""
        return not self.files

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """`(height, width)` or `(height, width, channels)`; None for tables."""
        return self.train_shape[1:] if len(self.train_shape) > 2 else None


_DIGITS = tuple("0123456789")
_IDX_WORDS = "the four IDX files " + ", ".join(f"{name}.gz" for name in IDX_FILES)

_ROWS = (
    DatasetInfo(
        name="mnist",
        task="handwritten digits, 10 classes",
        train_shape=(60000, 28, 28),
        test_shape=(10000, 28, 28),
        class_names=_DIGITS,
        source="https://www.openml.org/d/554",
        licence="CC BY-SA 3.0; LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86 (1998)",
        files=_IDX_WORDS,
        openml_id=554,  # mnist_784, version 1
        checksums=(
            ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb"),
            ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624"),
            ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"),
            ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"),
        ),
    ),
    DatasetInfo(
        name="fashion_mnist",
        task="articles of clothing, 10 classes",
        train_shape=(60000, 28, 28),
        test_shape=(10000, 28, 28),
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        source="https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT; Xiao, Rasul, Vollgraf, arXiv:1708.07747 (2017)",
        files=_IDX_WORDS,
        openml_id=40996,  # Fashion-MNIST, version 1
        checksums=(
            ("train-images-idx3-ubyte", "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
            ("train-labels-idx1-ubyte", "9018921c3c673c538a1fc5bad174d6f9"),
            ("t10k-images-idx3-ubyte", "8181f5470baa50b63fa0f6fddb340f0a"),
            ("t10k-labels-idx1-ubyte", "15d484375f8d13e6eb1aabb0c3f46965"),
        ),
    ),
    DatasetInfo(
        name="cifar10",
        task="small colour photographs, 10 classes",
        train_shape=(50000, 32, 32, 3),
        test_shape=(10000, 32, 32, 3),
        class_names=(
            *("airplane", "automobile", "bird", "cat", "deer"),
            *("dog", "frog", "horse", "ship", "truck"),
        ),
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="no licence stated; Krizhevsky, technical report, University of Toronto (2009)",
        files=f"{CIFAR_ARCHIVE} (not the Python version: it is a pickle, and is never read), or {CIFAR_JPEG}",
        checksums=((CIFAR_ARCHIVE, "c32a1d4ab5d03f1284b67883e8d87530"),),
    ),
    DatasetInfo(
        name="heart",
        task="heart disease (Cleveland), 2 classes",
        train_shape=(242, 21),
        test_shape=(61, 21),
        class_names=("disease", "no disease"),
        source="https://archive.ics.uci.edu/dataset/45/heart+disease",
        licence="CC BY 4.0; Detrano et al., Am. J. Cardiology 64 (1989)",
        files="heart.csv (a header, 13 columns and the label)",
        openml_id=49,  # heart-c, version 1
        note="label 1 means no disease, as in the widely shared heart.csv; one of the 303 rows occurs twice",
    ),
    DatasetInfo(
        name="adult",
        task="income above 50,000 dollars a year, 2 classes",
        train_shape=(32561, 108),
        test_shape=(16281, 108),
        class_names=("<=50K", ">50K"),
        source="https://archive.ics.uci.edu/dataset/2/adult",
        licence="CC BY 4.0; Kohavi, KDD (1996)",
        files="adult.data and adult.test of UCI, each as it is or as .gz",
        openml_id=1590,  # adult, version 2
    ),
    DatasetInfo(
        name="digits",
        task="handwritten digits of 8x8 pixels, 10 classes",
        train_shape=(1257, 8, 8),
        test_shape=(540, 8, 8),
        class_names=_DIGITS,
        source="https://archive.ics.uci.edu/dataset/80",
        licence="CC BY 4.0; Alpaydin, Kaynak, UCI (1998), test part only",
    ),
    DatasetInfo(
        name="breast_cancer",
        task="breast tumours (Wisconsin), 2 classes",
        train_shape=(398, 30),
        test_shape=(171, 30),
        class_names=("malignant", "benign"),
        source="https://archive.ics.uci.edu/dataset/17",
        licence="CC BY 4.0; Street, Wolberg, Mangasarian, Proc. SPIE 1905 (1993)",
    ),
    DatasetInfo(
        name="iris",
        task="iris flowers, 3 classes",
        train_shape=(105, 4),
        test_shape=(45, 4),
        class_names=("setosa", "versicolor", "virginica"),
        source="https://archive.ics.uci.edu/dataset/53",
        licence="CC BY 4.0; Fisher, Annals of Eugenics 7 (1936)",
    ),
    DatasetInfo(
        name="wine",
        task="wines by chemical analysis, 3 classes",
        train_shape=(124, 13),
        test_shape=(54, 13),
        class_names=("class_0", "class_1", "class_2"),
        source="https://archive.ics.uci.edu/dataset/109",
        licence="CC BY 4.0; Aeberhard, Forina, UCI (1992)",
    ),
)

REGISTRY = {info.name: info for info in _ROWS}


def list_datasets() -> tuple[DatasetInfo, ...]:
    """Return every data set that `load_dataset` knows, one row a set."""
    return tuple(REGISTRY.values())


def find_info(name: str) -> DatasetInfo:
    """Return the row of `name`; ValueError with the known names and the nearest one otherwise."""
    if isinstance(name, str) and name in REGISTRY:
        return REGISTRY[name]
    nearest = get_close_matches(str(name).lower().replace("-", "_"), REGISTRY, n=1, cutoff=0.5)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"unknown data set {name!r}; known: {', '.join(REGISTRY)}.{hint}")
