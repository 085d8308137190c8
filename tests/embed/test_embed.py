# SPDX-License-Identifier: Apache-2.0
"""A model as C or C++ source: the compilers get the file's own bytes back, where a product wants them."""

from __future__ import annotations

import io
import json
import re
import subprocess
from pathlib import Path

import pytest
import small_models
from click.testing import CliRunner, Result
from elftools.elf.elffile import ELFFile

from tinyhil import embed
from tinyhil.assets import firmware_dir
from tinyhil.cli import cli
from tinyhil.errors import ArenaOverflow, BadInput
from tinyhil.model import load_model
from tinyhil.model.writer import ModelWriter

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")

# Prints the array, then what it is told to be.
PRINTER = """
#include <stdint.h>
#include <stdio.h>
#include "sum.h"
static unsigned char arena[sum_tflite_arena_bytes];
int main(void) {
  fwrite(sum_tflite, 1, sum_tflite_len, stdout);
  printf("|%u|%u|%s|%d|%d|%.9g|%d|%u", (unsigned)sizeof sum_tflite, (unsigned)((uintptr_t)sum_tflite % 16),
         sum_tflite_sha256, sum_tflite_inputs, sum_tflite_input_1_zero_point, (double)sum_tflite_input_1_scale,
         sum_tflite_output_0_elements, (unsigned)sizeof arena);
  return 0;
}
"""


@pytest.fixture
def summing(tmp_path) -> Path:
    path = tmp_path / "sum.tflite"
    path.write_bytes(small_models.sum_of_two())
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["embed", *map(str, arguments)])


def compiled(*command: object) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.needs("native")
@pytest.mark.parametrize(
    ("suffix", "compiler", "standard"), [(".c", "gcc", "c11"), (".cc", "g++", "c++11"), (".cpp", "g++", "c++20")]
)
def test_a_program_finds_the_files_bytes_length_hash_and_quantization(tmp_path, summing, suffix, compiler, standard):
    source = tmp_path / f"sum{suffix}"
    arena = embed.Arena(1024, "builtin", "reference", "native", "native")
    made = embed.embed(load_model(summing), language=embed.LANGUAGES[suffix], header_name="sum.h", arena=arena)
    source.write_text(made.source)
    (tmp_path / "sum.h").write_text(made.header)
    main, program = tmp_path / f"main{suffix}", tmp_path / "program"
    main.write_text(PRINTER)
    compiled(compiler, f"-std={standard}", *WARNINGS, "-I", tmp_path, source, main, "-o", program)
    data = summing.read_bytes()
    said = subprocess.run([program], capture_output=True, check=True).stdout
    assert said[: len(data)] == data
    facts = said[len(data) :].decode().split("|")[1:]
    assert facts == [str(len(data)), "0", load_model(summing).sha256, "2", "11", "0.25", "6", "1024"]


@pytest.mark.needs("arm-gcc")
@pytest.mark.parametrize(("suffix", "compiler"), [(".c", "arm-none-eabi-gcc"), (".cc", "arm-none-eabi-g++")])
def test_on_a_microcontroller_it_lies_in_flash_aligned(tmp_path, summing, suffix, compiler):
    source, built = tmp_path / f"sum{suffix}", tmp_path / "sum.o"
    assert run(summing, "-o", source, "--no-arena").exit_code == 0
    compiled(compiler, "-mcpu=cortex-m4", "-mthumb", "-Os", *WARNINGS, "-c", source, "-o", built)
    elf = ELFFile(io.BytesIO(built.read_bytes()))
    (symbol,) = elf.get_section_by_name(".symtab").get_symbol_by_name("sum_tflite")
    section = elf.get_section(symbol["st_shndx"])
    assert section.name.startswith(".rodata")
    assert symbol["st_value"] % 16 == 0 and section["sh_addralign"] >= 16
    assert section.data()[symbol["st_value"] :][: symbol["st_size"]] == summing.read_bytes()
    writable = {".data", ".bss"}
    assert not any(section["sh_size"] for section in elf.iter_sections() if section.name in writable)


@pytest.mark.needs("arm-gcc", "qemu")
def test_the_arena_is_the_smallest_that_works(summing):
    from tinyhil.board import load_board
    from tinyhil.build import build_image
    from tinyhil.device import Device

    loaded = load_model(summing)
    arena = embed.measure_arena(loaded, board="mps2_an386")
    board = load_board("mps2_an386")
    with Device.open(board, "qemu", build_image(board), loaded) as device:
        device.load(loaded, arena.bytes)
        with pytest.raises(ArenaOverflow):
            device.load(loaded, arena.bytes - 16)


# Resolvers ------------------------------------------------------------------------------------------------------------
def commented(text: str, title: str) -> str:
    """The C++ under a title of the comment."""
    return re.sub(r"^//  ?", "", text.split(f"// {title}\n")[1].split("// tinyhil's engine")[0], flags=re.MULTILINE)


@pytest.mark.needs("native", "tflm")
def test_tflite_micro_compiles_its_resolver_and_its_methods_are_all_there(tmp_path, summing):
    from tinyhil.upstream import find_tflm

    tflm = find_tflm()
    text = embed.embed(load_model(summing)).source
    every = "".join(f"every.Add{method}();\n" for method in embed.tflm_calls().values())
    lines = commented(text, "TFLite Micro's resolver:").splitlines()
    include, resolver, *calls = [line for line in lines if line.strip()]
    assert "resolver.AddAdd();" in map(str.strip, calls)
    body = "\n".join([resolver, *calls, "tflite::MicroMutableOpResolver<200> every;", every])
    source = tmp_path / "resolver.cc"
    source.write_text(f"{include.strip()}\nvoid Make() {{\n{body}}}\n")
    trees = (tflm.root.path, tflm.flatbuffers.path / "include", tflm.gemmlowp.path, tflm.ruy.path)
    includes = [f"-I{path}" for path in trees]
    compiled("g++", "-std=c++17", "-w", "-DTF_LITE_STATIC_MEMORY", "-fsyntax-only", *includes, source)


@pytest.mark.needs("native")
def test_the_engine_builtin_compiles_its_table(tmp_path, summing):
    source = tmp_path / "ops.cc"
    lines = embed.embed(load_model(summing)).source.split("// tinyhil's engine builtin:\n")[1].splitlines()
    table = [line for line in lines if line.startswith("//")]
    source.write_text("".join(f"{line[2:]}\n" for line in table))
    compiled("g++", "-std=c++17", *WARNINGS, "-fsyntax-only", "-I", firmware_dir(), source)
    assert "&kOp_ADD," in source.read_text() and "kOpCount = 1;" in source.read_text()


def test_an_operator_that_an_engine_lacks_is_said_to_be_lacking(tmp_path):
    path = tmp_path / "x.tflite"
    path.write_bytes(small_models.unsupported())
    text = embed.embed(load_model(path)).source
    assert "MicroMutableOpResolver<3>" in text  # ADD, COS and the custom one
    assert 'resolver.AddCustom("my_filter", your_registration);' in text
    assert "// COS: it does not have it." in text and "// my_filter: it does not have it." in text


# Names ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("sum.tflite", "sum_tflite"),
        ("My Model (v2)-final.tflite", "My_Model_v2_final_tflite"),
        ("3d.tflite", "model_3d_tflite"),
        ("__x__.tflite", "x_tflite"),
        ("модель.tflite", "tflite"),
        ("int", "model_int"),
        ("and_eq", "model_and_eq"),
        ("*/", "model"),
        ("", "model"),
    ],
)
def test_every_file_name_gives_an_identifier(file_name, name):
    assert embed.identifier(file_name) == name
    assert embed.check_name(name) == name


@pytest.mark.parametrize("name", ["int", "class", "2d", "a b", "", "_Model", "a__b", "modèle", "x\n"])
def test_a_name_that_is_no_identifier_is_refused(name):
    with pytest.raises(BadInput, match="--name"):
        embed.check_name(name)


@pytest.mark.needs("native")
def test_no_name_in_the_model_or_of_the_file_gets_out_of_its_comment(tmp_path):
    writer = ModelWriter()
    tensors = [writer.tensor((1, 4), scale=0.5, name=name) for name in ("in\\", "out */ #error\n#error ???/")]
    writer.operator("ADD", [tensors[0], tensors[0]], [tensors[1]])
    path = tmp_path / 'a "\\\n#error.tflite'
    path.write_bytes(writer.finish([tensors[0]], [tensors[1]]))
    source = tmp_path / "a.c"
    assert run(path, "-o", source, "--no-arena", "--header").exit_code == 0
    compiled("gcc", "-std=c11", "-trigraphs", *WARNINGS, "-fsyntax-only", source)


# The files ------------------------------------------------------------------------------------------------------------
def test_the_same_model_gives_the_same_text_and_what_holds_it_is_left_alone(tmp_path, summing):
    source = tmp_path / "sum.cc"
    assert run(summing, "-o", source, "--no-arena", "--header").exit_code == 0
    first, age = source.read_bytes(), source.stat().st_mtime_ns
    again = run(summing, "-o", source, "--no-arena", "--header")
    assert again.exit_code == 0 and "sum.cc: as it was" in again.output
    assert (source.read_bytes(), source.stat().st_mtime_ns) == (first, age)
    assert str(tmp_path) not in first.decode()


def test_a_file_with_other_contents_is_written_over_only_when_told(tmp_path, summing):
    source = tmp_path / "sum.cc"
    source.write_text("mine")
    refused = run(summing, "-o", source, "--no-arena", "--header")
    assert refused.exit_code == 50 and "there already" in refused.output and "--force" in refused.output
    assert source.read_text() == "mine" and not source.with_suffix(".h").exists()
    assert run(summing, "-o", source, "--no-arena", "--force").exit_code == 0
    assert "sum_tflite" in source.read_text()


def test_what_cannot_be_embedded_is_refused_and_nothing_is_written(tmp_path, summing):
    nothing = tmp_path / "no.tflite"
    nothing.write_bytes(b"no model at all")
    out = tmp_path / "x.cc"
    for arguments, status, words in (
        ((nothing, "-o", out), 10, "not a .tflite model"),
        ((summing, "-o", tmp_path / "x.txt"), 2, "must end in .c"),
        ((summing, "-o", summing / "x.cc", "--no-arena"), 50, "sum.tflite/x.cc"),
        ((summing, "-o", out, "--name", "int"), 14, "reserved word"),
        ((summing, "-o", out, "--board", "nowhere"), 20, "nowhere"),
    ):
        refused = run(*arguments)
        assert refused.exit_code == status and words in refused.output, refused.output
    assert not out.exists()


def test_machines_are_told_names_and_numbers(tmp_path, summing):
    done = run(summing, "-o", tmp_path / "m.cc", "--name", "g_model", "--no-arena", "--json")
    said = json.loads(done.output)
    assert (said["name"], said["bytes"], said["operators"]) == ("g_model", summing.stat().st_size, ["ADD"])
    assert said["arena"] is None and said["written"] == said["files"]
