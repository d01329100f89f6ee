"""Command lines that are refused, with the sentence each gets; the files are those of `write_files`."""

from pathlib import Path

import numpy as np

ROWS = [f"{place % 7}.5,{place % 3},r{place},{'xy'[place % 2]}" for place in range(20)]
GOOD = "a,b,name,kind\n" + "\n".join(ROWS) + "\n"
COMPARISON = """
name = "mine"
datasets = [{files}]
shots = [2]
draws = 1
[[methods]]
name = "linear"
method = "linear_svm"
"""


def write_files(folder: Path) -> None:
    """Write the tables and configs that the command lines below name, and an empty folder."""
    texts = {
        "good.csv": GOOD,
        "plain.csv": "\n".join(ROWS) + "\n",
        "one.csv": "a,kind\n1,x\n2,x\n3,x\n",
        "rare.csv": "a,kind\n1,x\n2,x\n3,y\n4,x\n5,x\n",
        "real.csv": "a,b\n" + "".join(f"{row}.25,{row}.75\n" for row in range(9)),
        "gap.csv": "a,b,kind\n1.5,,x\n2.5,2,y\n",
        "other.csv": "c,d\n1,2\n",
        "unlabelled.csv": "a,b,name\n1.5,1,p\n2.5,2,q\n",
        "blank_label.csv": "a,kind\n1,x\n2,\n",
        "twice.csv": "a,a,kind\n1,2,x\n3,4,y\n",
        "many.csv": "a,kind\n" + "".join(f"{row},k{row}\n" for row in range(101)),
        "notes.md": "nothing\n",
        "broken.toml": "name = \n",
        "file.toml": '{ file = "good.csv", label = "kind", drop = ["name"] }',
        "no_file.toml": '{ label = "kind" }',
        "absent.toml": '{ file = "lost.csv", label = "kind" }',
        "wrong_label.toml": '{ file = "good.csv", label = "knid" }',
        "no_label.toml": '{ file = "good.csv" }',
        "wrong_key.toml": '{ file = "good.csv", lable = "kind" }',
        "size.toml": '{ file = "good.csv", label = "kind", test_size = 1.5 }',
        "size_text.toml": '{ file = "good.csv", label = "kind", test_size = "half" }',
        "few.toml": '{ file = "rare.csv", label = "kind" }',
        "alone.toml": '{ file = "one.csv", label = "kind" }',
        "named_twice.toml": '{ file = "good.csv", label = "kind" }, { file = "good.csv", label = "b" }',
        "unknown_class.toml": '{ file = "good.csv", label = "kind", test = "rare_kind.csv" }',
        "rare_kind.csv": "a,b,name,kind\n1.5,2,p,x\n1.5,2,q,z\n",
        "number.toml": "5",
    }
    for name, text in texts.items():
        if name.endswith(".toml") and name != "broken.toml":
            text = COMPARISON.replace("{files}", text)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "folder").mkdir()
    (folder / "exported").write_bytes(b"MPNNnet1" + b"\0" * 64)
    (folder / "exported.toml").write_bytes(b"MPNNnet1\xff")
    (folder / "no_model").write_bytes(b"\0" * 64)
    np.savez(folder / "unlabelled.npz", x=np.eye(4))


TRAIN = ["train", "good.csv", "--label", "kind"]
MALFORMED: list[tuple[list[str], str]] = [
    # commands
    (["trian"], "mpnn: unknown command 'trian'; did you mean 'train'?"),
    (["evalute", "model", "good.csv"], "mpnn: unknown command 'evalute'; did you mean 'evaluate'?"),
    (["fit"], "mpnn: unknown command 'fit'; did you mean 'init'?"),
    (["--lable", "kind"], "mpnn: '--lable' is no command; see mpnn --help"),
    (
        ["good.csv"],
        "mpnn: unknown command 'good.csv'; choose from compare, data, evaluate, export, init, "
        "inspect, plan, predict, report, train",
    ),
    # options of train
    (["train"], "mpnn train needs DATA, a file or the name of a data set; see mpnn train --help"),
    (
        ["train", "--label", "kind", "--drop", "name", "good.csv"],
        "mpnn train needs DATA, a file or the name of a data set; good.csv was taken for a value of --drop, "
        "so write it first: mpnn train good.csv ...",
    ),
    ([*TRAIN, "--lable", "x"], "mpnn train: unknown option '--lable'; did you mean '--label'?"),
    ([*TRAIN, "--test_sise=0.2"], "mpnn train: unknown option '--test_sise'; did you mean '--test-size'?"),
    ([*TRAIN, "more.csv"], "mpnn train: 'more.csv' is one argument too many; see mpnn train --help"),
    ([*TRAIN, "--beliefs"], "mpnn train: unknown option '--beliefs'; did you mean '--no-beliefs'?"),
    ([*TRAIN, "--seed", "x"], "mpnn train: --seed must be a whole number, got 'x'"),
    ([*TRAIN, "--seed", "1.5"], "mpnn train: --seed must be a whole number, got '1.5'"),
    ([*TRAIN, "--seed"], "mpnn train: --seed must be a whole number, got nothing"),
    ([*TRAIN, "--seed", "-1"], "--seed must be from 0 to 4294967295, got -1"),
    ([*TRAIN, "--hidden", "ten"], "mpnn train: --hidden must be whole numbers, got 'ten'"),
    ([*TRAIN, "--hidden", "0"], "every width in hidden must be a whole number of at least 1, got 0"),
    ([*TRAIN, "--hidden", "-5"], "every width in hidden must be a whole number of at least 1, got -5"),
    ([*TRAIN, "--num-epochs", "many"], "mpnn train: --num-epochs must be a whole number, got 'many'"),
    ([*TRAIN, "--num-epochs", "0"], "num_epochs must be a whole number of at least 1, got 0"),
    ([*TRAIN, "--batch-size", "0"], "batch_size must be a whole number of at least 1, got 0"),
    (
        [*TRAIN, "--weights", "quaternary"],
        "weights must be 'binary', 'ternary', 'gaussian' or an int from 1 to 127, got 'quaternary'",
    ),
    ([*TRAIN, "--weights", "500"], "integer weights need a largest level from 1 to 127, got 500"),
    (
        [*TRAIN, "--rule", "amp2"],
        "rule must be one of ['amp', 'belief_propagation', 'bp_inspired', "
        "'bp_inspired_interpolated', 'bp_inspired_second_order', 'max_sum', 'mean_field'], got 'amp2'",
    ),
    ([*TRAIN, "--ensemble", "all"], "mpnn train: --ensemble must be 'pairwise' or 'none', got 'all'"),
    ([*TRAIN, "--decimal", ";"], "mpnn train: --decimal must be '.' or ',', got ';'"),
    (
        [*TRAIN, "--delimiter", "ab"],
        "delimiter must be one character or one of tab, \\t, space, comma, semicolon, bar, pipe, got 'ab'",
    ),
    (
        [*TRAIN, "--encoding", "latin-99"],
        "unknown encoding 'latin-99'; write e.g. utf-8, utf-16, latin-1 or cp1252",
    ),
    ([*TRAIN, "--header", "--no-header"], "--header and --no-header exclude each other; leave one out"),
    ([*TRAIN, "--max-classes", "1"], "max_classes must be a whole number of at least 2, got 1"),
    ([*TRAIN, "--set", "damping"], "cannot read the parameter 'damping'; write KEY=VALUE, e.g. damping=0.5"),
    ([*TRAIN, "--set", "=0.5"], "cannot read the parameter '=0.5'; write KEY=VALUE, e.g. damping=0.5"),
    (
        [*TRAIN, "--set", "dampin=0.5"],
        "the command line: unknown parameter 'dampin'; did you mean 'damping'?",
    ),
    ([*TRAIN, "--set", "damping=1.5"], "damping must be in [0, 1), got 1.5"),
    (
        [*TRAIN, "--set", "damping=half"],
        "damping must be a number, one value a layer or a schedule, got 'half'",
    ),
    (
        [*TRAIN, "--set", "prediction=maybe"],
        "prediction must be one of ('mode', 'bayes', 'sample'), got 'maybe'",
    ),
    ([*TRAIN, "--set", "encoding=words"], "encoding must be one of ('auto', 'table', None), got 'words'"),
    ([*TRAIN, "--output", "no/such/model"], "the folder FOLDER/no/such of --output does not exist"),
    ([*TRAIN, "--output", "folder"], "--output must name a file, got the folder folder"),
    ([*TRAIN, "--output", "good.csv"], "--output would replace good.csv, which is read; name another file"),
    (
        [*TRAIN, "--test", "gap.csv", "--output", "./folder/../gap.csv"],
        "--output would replace folder/../gap.csv, which is read; name another file",
    ),
    (
        [*TRAIN, "--test", "good.csv", "--test-size", "0.2"],
        "--test and --test-size exclude each other; leave one out",
    ),
    ([*TRAIN, "--cv", "5", "--test-size", "0.2"], "--test-size and --cv exclude each other; leave one out"),
    ([*TRAIN, "--cv", "1"], "--cv must be from 2 to 10, the examples of the largest class, got 1; try 5"),
    ([*TRAIN, "--cv", "11"], "--cv must be from 2 to 10, the examples of the largest class, got 11; try 5"),
    ([*TRAIN, "--cv", "five"], "mpnn train: --cv must be a whole number, got 'five'"),
    ([*TRAIN, "--test-size", "0"], "--test-size must be above 0 and below 1, got 0; try 0.2"),
    ([*TRAIN, "--test-size", "1"], "--test-size must be above 0 and below 1, got 1; try 0.2"),
    ([*TRAIN, "--test-size", "20%"], "mpnn train: --test-size must be a number, got '20%'"),
    ([*TRAIN, "--test-size", "0.001"], "--test-size 0.001 of 20 examples leaves a part empty; give another"),
    ([*TRAIN, "--test", "lost.csv"], "lost.csv does not exist; did you mean other.csv?"),
    ([*TRAIN, "--test", "iris"], "--test must name a table file beside a table file, got iris"),
    ([*TRAIN, "--test", "other.csv"], "other.csv has no column 'kind' (label); it has 'c', 'd'"),
    (
        [*TRAIN, "--test", "unlabelled.csv"],
        "unlabelled.csv has no column 'kind' (label); it has 'a', 'b', 'name'",
    ),
    ([*TRAIN, "--shots", "0"], "--shots: per_class must be a whole number of at least 1, got 0"),
    (
        [*TRAIN, "--shots", "11"],
        "--shots: class x has 10 samples, asked for 11; give more samples or ask for fewer a class",
    ),
    (
        [*TRAIN, "--drop", "kind"],
        "good.csv: column 'kind' cannot be both the label and dropped; leave one out",
    ),
    (
        [*TRAIN, "--drop", "a", "b", "name"],
        "good.csv: no column is left as a feature ('a' is dropped, 'b' is dropped, 'name' is "
        "dropped, 'kind' is the label)",
    ),
    ([*TRAIN, "--drop", "nmae"], "good.csv has no column 'nmae' (drop); did you mean 'name'?"),
    (
        [*TRAIN, "--id", "kind"],
        "good.csv: column 'kind' cannot be both the label and the identifier; leave one out",
    ),
    ([*TRAIN, "--id", "nmae"], "good.csv has no column 'nmae' (id); did you mean 'name'?"),
    (
        [*TRAIN, "--categorical", "kind"],
        "good.csv: column 'kind' cannot be both the label and a category; leave one out",
    ),
    (["train", "good.csv", "--label", "knid"], "good.csv has no column 'knid' (label); did you mean 'kind'?"),
    (["train", "good.csv", "--label", "4"], "good.csv has no column 4 (label); it has 4, numbered 0 to 3"),
    (["train", "good.csv", "--label", "-5"], "good.csv has no column -5 (label); it has 4, numbered 0 to 3"),
    (
        ["train", "good.csv", "--label", "a"],
        "good.csv, line 2, column 'a': '0.5' is a real number, and labels must name classes; choose "
        "another column (--label) or write a class into each row",
    ),
    # what train reads
    (["train", "lost.csv"], "lost.csv does not exist; did you mean other.csv?"),
    (
        ["train", "irsi"],
        "unknown data set 'irsi'; known: mnist, fashion_mnist, cifar10, heart, adult, digits, "
        "breast_cancer, iris, wine. Did you mean 'iris'?",
    ),
    (["train", "folder"], "folder holds no table file, such as .parquet or .csv; name another folder"),
    (
        ["train", "notes.md"],
        "notes.md is no table file; its name must end in one of .csv, .tsv, .txt, .data, .csv.gz, "
        ".tsv.gz, .txt.gz, .parquet, .npz, .npy",
    ),
    (
        ["train", "model.pkl"],
        "model.pkl may hold anything, even programs, so it is not opened; save the table as CSV",
    ),
    (["train", "book.xlsx"], "book.xlsx is a workbook; save its sheet as CSV"),
    (["train", "real.csv"], "real.csv: which column holds the labels? Say --label NAME; there are a, b"),
    (
        ["train", "real.csv", "--label", "b"],
        "real.csv, line 2, column 'b': '0.75' is a real number, and labels must name classes; choose "
        "another column (--label) or write a class into each row",
    ),
    (["train", "one.csv"], "one.csv has one class only, 'x'; training needs two"),
    (
        ["train", "blank_label.csv"],
        "blank_label.csv, line 3, column 'kind': the label is missing; fill it in or delete the row",
    ),
    (
        ["train", "twice.csv"],
        "twice.csv: columns 0 and 1 (counted from 0) are both called 'a'; give each a name of its own",
    ),
    (
        ["train", "many.csv"],
        "many.csv, line 2, column 'kind': 'k0' is one of 101 different labels, more than 100: too "
        "many to learn; choose another column (--label), or allow so many if these are classes "
        "(--max-classes)",
    ),
    (
        ["train", "plain.csv", "--label", "kind"],
        "plain.csv has no column 'kind' (label); it has no header, so give a number from 0 to 3",
    ),
    (
        ["train", "unlabelled.npz"],
        "unlabelled.npz has no labels; give an npz file with x_train and y_train (or x and y), or "
        "name a column: --label NUMBER",
    ),
    (["train", "unlabelled.npz", "--decimal", ","], "decimal is for text files; unlabelled.npz is none"),
    # predict and evaluate
    (["predict"], "mpnn predict needs MODEL; see mpnn predict --help"),
    (["predict", "model"], "mpnn predict needs DATA once, a file or a data set; see mpnn predict --help"),
    (
        ["predict", "lost", "--data", "good.csv"],
        "there is no model lost; `mpnn train DATA --output lost` writes one",
    ),
    (
        ["predict", "no_model", "--data", "good.csv"],
        "cannot load a model: no_model is damaged (it is no safetensors file of mpnn): fetch or "
        "write it again",
    ),
    (
        ["predict", "folder", "--data", "good.csv"],
        "the model must be a file, got the folder folder",
    ),
    (
        ["predict", "good.csv", "--data", "good.csv"],
        "good.csv is a table, not a model; the model comes first, then the data",
    ),
    (["predict", "model", "--data", "lost.csv"], "lost.csv does not exist; did you mean other.csv?"),
    (["predict", "model", "--data", "other.csv"], "other.csv lacks the columns 'a', 'b'; it has 'c', 'd'"),
    (
        ["predict", "model", "--data", "gap.csv"],
        "gap.csv, line 2, column 'b': the value is missing, and none was in training; fill it in or "
        "leave the row out",
    ),
    (
        ["predict", "model", "--data", "plain.csv"],
        "plain.csv has no names for its columns, so 'a', 'b' cannot be found; write them into the "
        "first line (of npz: into an array feature_names), or tell a text file that it has no header "
        "(--no-header) to take its columns in their order",
    ),
    (
        ["predict", "model", "--data", "plain.csv", "--no-header"],
        "plain.csv has 4 columns, expected 2: 'a', 'b'",
    ),
    (
        ["predict", "model", "--data", "good.csv", "--id", "nmae"],
        "good.csv has no column 'nmae' (id); did you mean 'name'?",
    ),
    (
        ["predict", "model", "--data", "good.csv", "--label", "knid"],
        "good.csv has no column 'knid' (label); did you mean 'kind'?",
    ),
    (
        ["predict", "model", "--data", "good.csv", "--prediction", "mean"],
        "mpnn predict: --prediction must be 'mode' or 'bayes' or 'sample', got 'mean'",
    ),
    (
        ["predict", "model", "--data", "good.csv", "--output", "no/such/file.csv"],
        "the folder FOLDER/no/such of --output does not exist",
    ),
    (
        ["predict", "model", "--data", "good.csv", "--output", "folder"],
        "--output must name a file, got the folder folder",
    ),
    (
        ["predict", "model", "good.csv", "--output", "model"],
        "--output would replace model, which is read; name another file",
    ),
    (
        ["predict", "model", "good.csv", "--output", "good.csv"],
        "--output would replace good.csv, which is read; name another file",
    ),
    (["predict", "model", "--data", "iris"], "the examples have 4 features, and the model was trained on 2"),
    (["evaluate", "model"], "mpnn evaluate needs DATA; see mpnn evaluate --help"),
    (
        ["evaluate", "model", "unlabelled.csv"],
        "unlabelled.csv has no column 'kind' (label); it has 'a', 'b', 'name'",
    ),
    (["evaluate", "model", "other.csv"], "other.csv has no column 'kind' (label); it has 'c', 'd'"),
    (
        ["evaluate", "model", "good.csv", "--label", "knid"],
        "good.csv has no column 'knid' (label); did you mean 'kind'?",
    ),
    (
        ["evaluate", "model", "good.csv", "--prediction", "mean"],
        "mpnn evaluate: --prediction must be 'mode' or 'bayes' or 'sample', got 'mean'",
    ),
    (["evaluate", "lost", "good.csv"], "there is no model lost; `mpnn train DATA --output lost` writes one"),
    # inspect and export
    (["inspect"], "mpnn inspect needs MODEL; see mpnn inspect --help"),
    (
        ["inspect", "no_model"],
        "cannot load a model: no_model is damaged (it is no safetensors file of mpnn): fetch or "
        "write it again",
    ),
    (
        ["inspect", "exported"],
        "cannot load a model: exported is an exported network; name the model that `mpnn train` wrote",
    ),
    (["inspect", ""], "the model must be a file, got the folder ."),
    (["inspect", "model", "--data", "good.csv"], "mpnn inspect: unknown option '--data'; choose from --help"),
    (["export", "model"], "mpnn export needs --output; see mpnn export --help"),
    (
        ["export", "model", "--output", "model"],
        "--output would replace model, which is read; name another file",
    ),
    (
        ["export", "model", "--output", "good.csv", "--check", "good.csv"],
        "--output would replace good.csv, which is read; name another file",
    ),
    (["export", "model", "--output", "no/such/file"], "the folder FOLDER/no/such of --output does not exist"),
    (
        ["export", "good.csv", "--output", "packed"],
        "good.csv is a table, not a model; the model comes first, then the data",
    ),
    (
        ["export", "model", "--output", "packed", "--format", "tflite"],
        "mpnn export: --format must be 'packed' or 'c' or 'onnx', got 'tflite'",
    ),
    (
        ["export", "model", "--output", "packed", "--check", "other.csv"],
        "other.csv lacks the columns 'a', 'b'; it has 'c', 'd'",
    ),
    (
        ["export", "lost", "--output", "packed"],
        "there is no model lost; `mpnn train DATA --output lost` writes one",
    ),
    # init and compare
    (["init"], "mpnn init needs FILE; see mpnn init --help"),
    (["init", "iris"], "mpnn init needs a table in a file, got 'iris'"),
    (["init", "lost.csv"], "lost.csv does not exist; did you mean other.csv?"),
    (["init", "one.csv"], "one.csv has one class only, 'x'; training needs two"),
    (["init", "real.csv"], "real.csv: which column holds the labels? Say --label NAME; there are a, b"),
    (["init", "good.csv", "--drop", "nam"], "good.csv has no column 'nam' (drop); did you mean 'name'?"),
    (["init", "rare.csv"], "rare.csv: every class needs two examples, and there must be two classes"),
    (
        ["init", "good.csv", "--output", "file.toml"],
        "file.toml exists; remove it, or name another file: --output FILE",
    ),
    (["init", "good.csv", "--output", "no/such.toml"], "the folder FOLDER/no of --output does not exist"),
    (["compare"], "name the config right after `compare`: mpnn compare CONFIG [options]"),
    (
        ["compare", "good.csv"],
        "good.csv is a table; write a config for it with: mpnn init good.csv",
    ),
    (["compare", "lost.toml.toml"], "cannot read the config lost.toml.toml: No such file or directory"),
    (["compare", "broken.toml"], "broken.toml is not valid TOML: Invalid value (at line 1, column 8)"),
    (["compare", "exported.toml"], "exported.toml is not text in UTF-8; name a config in TOML"),
    (
        ["compare", "no_file.toml"],
        'no_file.toml: datasets[0] must name a file; write e.g. { file = "mine.csv", label = "kind" }',
    ),
    (
        ["compare", "absent.toml"],
        "cannot load the data set 'lost': lost.csv does not exist; did you mean other.csv?",
    ),
    (
        ["compare", "wrong_label.toml"],
        "cannot load the data set 'good': good.csv has no column 'knid' (label); did you mean 'kind'?",
    ),
    (
        ["compare", "no_label.toml"],
        "cannot load the data set 'good': good.csv has no labels; name their column: label = \"NAME\"",
    ),
    (["compare", "wrong_key.toml"], "wrong_key.toml: files.good: unknown key 'lable'; did you mean 'label'?"),
    (
        ["compare", "size.toml"],
        "size.toml: files.good: test_size must be above 0 and below 1, got 1.5; write e.g. test_size = 0.3",
    ),
    (
        ["compare", "size_text.toml"],
        "size_text.toml: files.good: test_size must be a number, got 'half'; write e.g. test_size = 0.5",
    ),
    (
        ["compare", "few.toml"],
        "cannot load the data set 'rare': rare.csv: class 'y' has one example, too few for both "
        'parts; leave it out, or give test examples: test = "FILE"',
    ),
    (
        ["compare", "alone.toml"],
        "cannot load the data set 'one': one.csv has one class only, 'x'; a comparison needs two",
    ),
    (
        ["compare", "named_twice.toml"],
        "named_twice.toml: two files are called 'good'; give one of them another name = ...",
    ),
    (
        ["compare", "unknown_class.toml"],
        "cannot load the data set 'good': rare_kind.csv, line 3: the label 'z' is none of those of "
        "training; correct it or leave the row out",
    ),
    (
        ["compare", "number.toml"],
        'number.toml: datasets[0] must be a string, got 5; write e.g. datasets = "digits"',
    ),
    (["compare", "file.toml", "--draws", "0"], "draws must be at least 1, got 0; write e.g. draws = 5"),
    (["compare", "file.toml", "--draws", "x"], "mpnn compare: --draws must be a whole number, got 'x'"),
    (["compare", "file.toml", "--shots", "0"], "shots must be at least 1, got 0; write e.g. shots = [2, 10]"),
    (["compare", "file.toml", "--shots"], "shots must hold at least one number; write e.g. shots = [2, 10]"),
    (
        ["compare", "file.toml", "--datasets", "irsi"],
        "cannot load the data set 'irsi': unknown data set 'irsi'; known: mnist, fashion_mnist, "
        "cifar10, heart, adult, digits, breast_cancer, iris, wine. Did you mean 'iris'?",
    ),
    (["compare", "file.toml", "--only", "linera"], "--only: unknown method 'linera'; did you mean 'linear'?"),
    (
        ["compare", "file.toml", "--set", "C=1"],
        "cannot read the parameter 'C=1'; write METHOD.KEY=VALUE, e.g. message_passing.damping=0.5",
    ),
    (
        ["compare", "file.toml", "--set", "linear.c=1"],
        "method 'linear' (linear_svm): unknown parameter 'c'; did you mean 'C'?",
    ),
    (["compare", "file.toml", "--workers", "0"], "workers must be at least 1, got 0"),
    (["compare", "file.toml", "--cluster-set", "mem_gb=8"], "--cluster-set needs --cluster PARTITION"),
    # report, plan and data
    (["plan", "--machine", "h100", "--rows", "nan"], "rows must be at least 1, got nan"),
    (["plan", "--machine", "h100", "--rows", "inf"], "rows must be at least 1, got inf"),
    (["plan", "--machine", "h100", "--hidden", "0"], "a width in hidden must be at least 1, got 0"),
    (
        ["plan", "--machine", "h10"],
        "machine must be one of h100, h200, a100, tpu_v5e, tpu_v5p, got 'h10'",
    ),
    (["report"], "mpnn report needs RUN; see mpnn report --help"),
    (["report", "folder"], "folder holds no results; name the output folder of an `mpnn compare`"),
    (
        ["data", "--download", "mnsit"],
        "unknown data set 'mnsit'; known: mnist, fashion_mnist, cifar10, heart, adult, digits, "
        "breast_cancer, iris, wine. Did you mean 'mnist'?",
    ),
    (["data", "iris"], "mpnn data: 'iris' is one argument too many; see mpnn data --help"),
]
