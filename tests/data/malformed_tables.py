"""Files and arguments that `read_table` refuses, with the sentence each gets; FILE stands for the path."""

import gzip
import io
from typing import Any, NamedTuple

import numpy as np


class Malformed(NamedTuple):
    """One refusal: a name for the test, the file's content, `read_table`'s arguments and the sentence."""

    name: str
    content: bytes
    arguments: dict[str, Any]
    sentence: str = ""
    file: str = "t.csv"


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


KIND = {"label": "kind"}
X = np.arange(6.0).reshape(3, 2)
OBJECTS = np.array([{"a": 1}, None, 3], dtype=object)
INFINITE = np.array([[1.0, 2.0], [3.0, np.inf]])

MALFORMED = [
    # files that hold no table
    Malformed("empty", b"", {}),
    Malformed("blank lines", b"\n\n  \n", {}),
    Malformed("byte order mark alone", b"\xef\xbb\xbf", {}),
    Malformed("header only", b"a,b,kind\n", KIND),
    Malformed("header and blank lines", b"a,b,kind\n\n\n", KIND),
    Malformed("workbook", b"PK\x03\x04\x14\x00\x06\x00", {}),
    Malformed("old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", {}),
    Malformed("Parquet by another name", b"PAR1\x15\x04\x15", {}),
    Malformed("array by another name", b"\x93NUMPY\x01\x00v\x00", {}),
    Malformed("picture", b"\x89PNG\r\n\x1a\n\x00\x00", {}),
    Malformed("web page", b"<!DOCTYPE html>\n<html></html>\n", {}),
    Malformed("XML", b'<?xml version="1.0"?>\n<a/>\n', {}),
    Malformed("JSON", b'[{"a": 1}, {"a": 2}]', {}),
    Malformed("PDF", b"%PDF-1.7\n", {}),
    Malformed("database", b"SQLite format 3\x00", {}),
    Malformed("ARFF", b"@relation iris\n@attribute a real\n@data\n1\n", {}),
    Malformed("zero byte in the first lines", b"a,b\n1,2\n3,\x004\n", {}),
    Malformed("zero byte far below", b"a,b\n" + b"1.5,2\n" * 60_000 + b"3,\x004\n", {}),
    Malformed("random bytes", bytes(range(128, 256)), {}),
    Malformed("latin-1", "a,kind\n1,ja\n2,s\u00ed\n".encode("latin-1"), KIND),
    Malformed("latin-1 far below", b"a,kind\n" + b"1,x\n" * 90_000 + b"2,\xed\n", KIND),
    Malformed("cut UTF-16", "a,b\n1,2\n".encode("utf-16")[:-1], {}),
    Malformed("cut gzip", gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-12], {}, file="t.csv.gz"),
    Malformed("damaged gzip", b"\x1f\x8bnonsense", {}, file="t.csv.gz"),
    Malformed("no gzip", b"a,b\n1,2\n", {}, file="t.csv.gz"),
    Malformed("one endless line", b"1," * 100_001 + b"\n", {}),
    Malformed("gigantic cell", b'a,b\n1,"' + b"x" * 140_000 + b'"\n', {}),
    # rows and cells that do not fit
    Malformed("long row", b"a,b,kind\n1,2,x\n1,2,3,y\n", KIND),
    Malformed("short row", b"a,b,kind\n1,2,x\n1,y\n", KIND),
    Malformed("row of one cell", b"a,b,kind\n1,2,x\nend of file\n", KIND),
    Malformed("trailing delimiter", b"a,b,kind\n1,2,x,\n", KIND),
    Malformed("short row after a cell of two lines", b'a,b,kind\n"1",2,"x\ny"\n\n1,z\n', KIND),
    Malformed("short row without header", b"1,2,x\n3,4,x\n5,6\n", {}),
    Malformed("short row of tabs", b"a\tb\tkind\n1\t2\tx\n1\n", KIND),
    Malformed("open quote", b'a,kind\n1,x\n2,"y\n3,x\n', KIND),
    Malformed("text behind a quote", b'a,kind\n1,"x"z\n', KIND),
    Malformed("parted by spaces", b"1.0 2.0 3.0\n4.0 5.0 6.0\n", {}),
    Malformed("same name twice", b"a,b,a,kind\n1,2,3,x\n", KIND),
    Malformed("same name but for spaces", b"a, b,b ,kind\n1,2,3,x\n", KIND),
    # cells that almost are numbers
    Malformed("infinite", b"a,kind\n1,x\ninf,y\n", KIND),
    Malformed("minus infinity", b"a,kind\n1,x\n-Infinity,y\n", KIND),
    Malformed("too large", b"a,kind\n1,x\n1e999,y\n", KIND),
    Malformed("percent", b"a,share,kind\n1,12%,x\n2,7.5 %,y\n", KIND),
    Malformed("thousands", b'a,kind\n"1,234,567",x\n5,y\n', KIND),
    Malformed("thousands and decimals", b'a,kind\n"1,234.50",x\n5.0,y\n', KIND),
    Malformed("thousands or decimal comma", b'a,kind\n"1,234",x\n"5,678",y\n', KIND),
    Malformed("thousands with points", b"a;kind\n1.234.567;x\n5;y\n", KIND),
    Malformed("thousands with points and a comma", b"a;b;kind\n1.234,50;1,5;x\n5,1;2,5;y\n", KIND),
    Malformed("thousands with spaces", b"a,kind\n12 345,x\n5,y\n", KIND),
    Malformed("thousands with thin spaces", "a,kind\n12\u202f345,x\n5,y\n".encode(), KIND),
    Malformed("thousands with apostrophes", b"a,kind\n12'345,x\n5,y\n", KIND),
    Malformed("thousands with underscores", b"a,kind\n12_345,x\n5,y\n", KIND),
    Malformed("decimal comma among points", b"a;b;kind\n1.5;2,5;x\n2.5;3,5;y\n", KIND),
    Malformed("decimal point told a comma", b"a;kind\n1.5;x\n2.5;y\n", KIND | {"decimal": ","}),
    Malformed("dollars", b"a,kind\n$5.20,x\n$7,y\n", KIND),
    Malformed("euros", "a,kind\n5 \u20ac,x\n7 \u20ac,y\n".encode(), KIND),
    Malformed("hexadecimal", b"a,kind\n0x1F,x\n0x2a,y\n", KIND),
    Malformed("spreadsheet error", b"a,kind\n1.5,x\n2.5,y\n#DIV/0!,y\n", KIND),
    Malformed("word among numbers", b"a,kind\n1.5,x\n2.5,y\nunknown,y\n4,x\n", KIND),
    Malformed("word among few rows of whole numbers", b"a,kind\n1,x\n2,y\nthree,y\n4,x\n", KIND),
    Malformed("word far below", b"a,kind\n" + b"1.25,x\n2.5,y\n" * 50_000 + b"n.a.,x\n", KIND),
    Malformed("percent far below", b"a,kind\n" + b"1.25,x\n2.5,y\n" * 50_000 + b"5%,x\n", KIND),
    Malformed("digits of another script", "a,kind\n1.5,x\n2.5,x\n\u0661\u0662,y\n".encode(), KIND),
    Malformed("date", b"day,kind\n2024-01-31,x\n2024-02-01,y\n", KIND),
    Malformed("date and time", b"day,kind\n2024-01-31T12:30:00Z,x\n2024-02-01 10:00,y\n", KIND),
    Malformed("date with points", b"day;kind\n31.01.2024;x\n1.2.2024;y\n", KIND),
    Malformed("date with slashes", b"day,kind\n1/31/24,x\n2/1/24,y\n", KIND),
    Malformed("date with a month", b"day,kind\n31-Jan-2024,x\n1-Feb-2024,y\n", KIND),
    Malformed("time of day", b"at,kind\n12:30,x\n09:15:00,y\n", KIND),
    # labels
    Malformed("missing label", b"a,kind\n1,x\n2,\n3,y\n", KIND),
    Malformed("missing labels", b"a,kind\n1,x\n2,NA\n3,\n4,?\n", KIND),
    Malformed("label of spaces", b'a,kind\n1,x\n2,"  "\n3,y\n', KIND),
    Malformed("real labels", b"a,b\n" + b"".join(b"%d,%d.25\n" % (i, i) for i in range(40)), {"label": "b"}),
    Malformed("real labels, few rows", b"a,b\n1,1.5\n2,2.25\n3,3.0\n", {"label": -1}),
    Malformed("real labels with commas", b"a;b\n1;1,5\n2;2,25\n3;3,0\n", {"label": -1}),
    Malformed("many classes", b"a,b\n" + b"".join(b"1,c%d\n" % i for i in range(101)), {"label": "b"}),
    Malformed("many numbers", b"a,b\n" + b"".join(b"1,%d\n" % i for i in range(300)), {"label": "b"}),
    Malformed("more classes than told", b"a,b\n1,x\n2,y\n3,z\n", {"label": "b", "max_classes": 2}),
    Malformed("long label", b"a,b\n1,x\n2," + b"y" * 300 + b"\n", {"label": "b"}),
    # arguments
    Malformed("no such label", b"length,kind\n1,x\n2,x\n", {"label": "knid"}),
    Malformed("no such label, nothing near", b"length,kind\n1,x\n2,x\n", {"label": "zzz"}),
    Malformed("no such number", b"a,kind\n1,x\n", {"label": 7}),
    Malformed("no such number, negative", b"a,kind\n1,x\n", {"label": "-3"}),
    Malformed("name without header", b"1,2,x\n3,4,x\n", {"label": "kind"}),
    Malformed("no such column to drop", b"a,kind\n1,x\n", KIND | {"drop": ("b",)}),
    Malformed("no such identifier", b"a,kind\n1,x\n", KIND | {"id": "key"}),
    Malformed("no such category", b"a,kind\n1,x\n", KIND | {"categorical": "c"}),
    Malformed("label dropped", b"a,kind\n1,x\n", KIND | {"drop": "kind"}),
    Malformed("identifier is the label", b"a,kind\n1,x\n", KIND | {"id": -1}),
    Malformed("category is dropped", b"a,b,kind\n1,2,x\n", KIND | {"drop": "a", "categorical": "a"}),
    Malformed("no features", b"kind\nx\ny\n", KIND),
    Malformed("all dropped", b"a,b,kind\n1,2,x\n", KIND | {"drop": ("a", 1)}),
    Malformed("label is a list", b"a,kind\n1,x\n", {"label": ["kind"]}),
    Malformed("label is true", b"a,kind\n1,x\n", {"label": True}),
    Malformed("drop holds none", b"a,kind\n1,x\n", {"drop": [None]}),
    Malformed("long delimiter", b"a,kind\n1,x\n", {"delimiter": "::"}),
    Malformed("quote as delimiter", b"a,kind\n1,x\n", {"delimiter": '"'}),
    Malformed("wrong delimiter", b"a,kind\n1,x\n", KIND | {"delimiter": ";"}),
    Malformed("decimal", b"a,kind\n1,x\n", {"decimal": "point"}),
    Malformed("encoding", b"a,kind\n1,x\n", {"encoding": "klingon"}),
    Malformed("encoding is no text", b"a,kind\n1,x\n", {"encoding": "hex"}),
    Malformed("wrong encoding", "a,kind\n1,\u00e9\n".encode(), {"encoding": "ascii"}),
    Malformed("header", b"a,kind\n1,x\n", {"header": "yes"}),
    Malformed("header is one", b"a,kind\n1,x\n", {"header": 1}),
    Malformed("max_classes is one", b"a,kind\n1,x\n", {"max_classes": 1}),
    Malformed("max_classes is real", b"a,kind\n1,x\n", {"max_classes": 10.5}),
    Malformed("unknown suffix", b"a,kind\n1,x\n", {}, file="t.xyz"),
    Malformed("workbook by name", b"", {}, file="t.xlsx"),
    Malformed("pickle by name", b"", {}, file="t.pkl"),
    # columns of a trained model
    Malformed("column missing", b"a,b\n1,2\n", {"kinds": {"a": "number", "width": "number"}}),
    Malformed("column misspelt", b"a,witdh\n1,2\n", {"kinds": {"a": "number", "width": "number"}}),
    Malformed("columns missing", b"c,d\n1,2\n", {"kinds": {"a": "number", "b": "number"}}),
    Malformed("names wanted, no header", b"1,2\n3,4\n", {"kinds": {"a": "number", "b": "number"}}),
    Malformed("no names, other width", b"1,2\n3,4\n", {"kinds": {"a": "number"}, "header": False}),
    Malformed("number wanted", b"a,b\n1,2\nmany,4\n", {"kinds": {"a": "number", "b": "number"}}),
    Malformed("boolean wanted", b"a,b\nyes,2\nmaybe,4\n", {"kinds": {"a": "boolean", "b": "number"}}),
    Malformed("unknown kind", b"a,b\n1,2\n", {"kinds": {"a": "date"}}),
    Malformed("no kinds", b"a,b\n1,2\n", {"kinds": {}}),
    Malformed("kinds and categories", b"a,b\n1,2\n", {"kinds": {"a": "number"}, "categorical": "a"}),
    # arrays
    Malformed("no npz", b"a,b\n1,2\n", {}, file="t.npz"),
    Malformed("empty npz", b"", {}, file="t.npz"),
    Malformed("cut npz", npz(x=X)[:200], {}, file="t.npz"),
    Malformed("npz without x", npz(a=X, b=X), {}, file="t.npz"),
    Malformed("npz without a test part", npz(x_train=X), {"part": "test"}, file="t.npz"),
    Malformed("part", npz(x=X), {"part": "both"}, file="t.npz"),
    Malformed("npz of objects", npz(x=OBJECTS), {}, file="t.npz"),
    Malformed("npz with labels of objects", npz(x=X, y=OBJECTS), {}, file="t.npz"),
    Malformed("npz of text", npz(x=np.array([["a", "b"]])), {}, file="t.npz"),
    Malformed("npz of complex numbers", npz(x=X * 1j), {}, file="t.npz"),
    Malformed("npz of one axis", npz(x=X[0]), {}, file="t.npz"),
    Malformed("npz with few labels", npz(x=X, y=np.arange(2)), {}, file="t.npz"),
    Malformed("npz with real labels", npz(x=X, y=np.array([0.5, 1.0, 2.0])), {}, file="t.npz"),
    Malformed("npz with a missing label", npz(x=X, y=np.array([0, 1, np.nan])), {}, file="t.npz"),
    Malformed("npz with dates as labels", npz(x=X, y=np.zeros(3, "M8[D]")), {}, file="t.npz"),
    Malformed("npz with infinity", npz(x=INFINITE), {}, file="t.npz"),
    Malformed("npz with few names", npz(x=X, feature_names=np.array(["a"])), {}, file="t.npz"),
    Malformed("npz with a name twice", npz(x=X, feature_names=np.array(["a", "a"])), {}, file="t.npz"),
    Malformed("npz with two labels", npz(x=X, y=np.arange(3)), {"label": 0}, file="t.npz"),
    Malformed("npz with a category", npz(x=X), {"categorical": 0}, file="t.npz"),
    Malformed("npz with a delimiter", npz(x=X), {"delimiter": ","}, file="t.npz"),
    Malformed("npz with other columns", npz(x=X), {"kinds": {"a": "number"}}, file="t.npz"),
    Malformed("no npy", b"a,b\n", {}, file="t.npy"),
    Malformed("empty npy", b"", {}, file="t.npy"),
    Malformed("npy of objects", npy(OBJECTS), {}, file="t.npy"),
    Malformed("npy of no rows", npy(X[:0]), {}, file="t.npy"),
    Malformed("npy with real labels", npy(X + 0.5), {"label": -1}, file="t.npy"),
    Malformed("no Parquet", b"a,b\n1,2\n", {}, file="t.parquet"),
    Malformed("empty Parquet", b"", {}, file="t.parquet"),
]
