#!/usr/bin/env python3
"""Looks at the machine code of the program: instructions that need AVX (VEX and EVEX) may stand
only in functions of the namespaces kernels::avx2, kernels::avx512 and kernels::amx, which are
entered after CPUID was asked; those of AMX tiles only in the last one. Anywhere else they would end
the program on an older processor."""

import argparse
import pathlib
import re
import subprocess
import sys

# _ZN (a name), _ZNK (a const method), _ZZN (something local to a function), with L (internal).
# The instructions of AMX are VEX-coded, too, but have names of their own.
NEEDS_AMX = re.compile(r"^(tile(loadd|loaddt1|stored|zero|release)|tdp[a-z0-9]+|(ld|st)tilecfg)$")
LEVEL_FUNCTION = re.compile(r"_Z+NK?5tulou7kernels(4avx2|6avx512|3amx)")
AMX_FUNCTION = re.compile(r"_Z+NK?5tulou7kernels3amx")
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
INSTRUCTION = re.compile(r"^\s+[0-9a-f]+:\t(\S+)(.*)$")
# All VEX and EVEX mnemonics begin with v, but for the mask moves of AVX-512 and BMI. Instructions
# with v that are older: verr, verw and those of virtual machines.
NEEDS_AVX = re.compile(
    r"^(v(?!err$|erw$|m(call|clear|func|launch|mcall|ptr|read|resume|run|save|load|write|x))"
    r"|k(add|and|andn|mov|not|or|ortest|shiftl|shiftr|test|unpck|xnor|xor)(b|w|d|q|bw|wd|dq)$"
    r"|(andn|bextr|blsi|blsmsk|blsr|bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx)[lq]?$)")


def functions_with(pattern, disassembly):
    """Returns {function: (its first instruction of the pattern, their number)}."""
    found = {}
    function = "(none)"
    for line in disassembly:
        if match := FUNCTION.match(line):
            function = match.group(1)
        elif match := INSTRUCTION.match(line):
            if pattern.match(match.group(1)):
                first, count = found.get(function, (match.group(1) + match.group(2), 0))
                found[function] = (first, count + 1)
    return found


def disassemble(binary):
    command = ["objdump", "--disassemble", "--no-show-raw-insn", "--wide", str(binary)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def functions_of_libcrypto():
    """OpenSSL's own functions, linked from its archive: it asks CPUID before it enters them."""
    archive = subprocess.run(["g++-12", "-print-file-name=libcrypto.a"], check=True,
                             capture_output=True, text=True).stdout.strip()
    listing = subprocess.run(["nm", "--defined-only", "--format=posix", archive], check=True,
                             capture_output=True, text=True).stdout
    return {line.split()[0] for line in listing.splitlines() if " " in line}


def self_test():
    """The patterns must tell what they are for."""
    for mnemonic in ("vaddps", "vmovups", "vzeroupper", "vpermps", "kmovw", "kortestw", "shlx"):
        assert NEEDS_AVX.match(mnemonic), mnemonic
    for mnemonic in ("addps", "verr", "verw", "vmcall", "vmxoff", "kaddx", "shl", "andnps"):
        assert not NEEDS_AVX.match(mnemonic), mnemonic
    assert LEVEL_FUNCTION.match("_ZN5tulou7kernels4avx24gemmERKNS0_8GemmArgsE")
    assert LEVEL_FUNCTION.match("_ZZN5tulou7kernels6avx5127softmaxEPflENKUlllE_clEll")
    for mnemonic in ("tileloadd", "tilestored", "tdpbssd", "tdpbf16ps", "ldtilecfg", "tilerelease"):
        assert NEEDS_AMX.match(mnemonic), mnemonic
    assert not NEEDS_AMX.match("test")
    assert AMX_FUNCTION.match("_ZN5tulou7kernels3amx4gemmERKNS0_8GemmArgsE")
    assert not AMX_FUNCTION.match("_ZN5tulou7kernels6avx5124gemmERKNS0_8GemmArgsE")
    assert not LEVEL_FUNCTION.match("_ZN5tulou7kernels8portable4gemmERKNS0_8GemmArgsE")
    assert not LEVEL_FUNCTION.match("_ZSt3maxIN5tulou7kernels4avx21VEE")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, type=pathlib.Path, help="the program")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="for what it writes")
    args = parser.parse_args()

    self_test()
    header = subprocess.run(["objdump", "-f", str(args.binary)], check=True, capture_output=True,
                            text=True)
    if "x86-64" not in header.stdout:
        print("not an x86-64 program: nothing to look at")
        return 0
    listing = disassemble(args.binary)
    (args.work / "disassembly.txt").write_text("\n".join(listing))
    libcrypto = functions_of_libcrypto()
    found = {name: what for name, what in functions_with(NEEDS_AVX, listing).items()
             if name not in libcrypto}
    with_tiles = functions_with(NEEDS_AMX, listing)
    inside = {name for name in found if LEVEL_FUNCTION.match(name)}
    for level in ("4avx2", "6avx512"):
        count = sum(level in name for name in inside)
        print(f"{level[1:]}: {count} functions with AVX instructions")
        if count < 10:  # 14 kernels at each level; fewer means that the names are read wrongly
            print("error: too few; are names stripped?")
            return 1
    if len(with_tiles) < 10:  # one of the int8 recipe for each of nine types, and bf16
        print(f"error: AMX: {len(with_tiles)} functions with tiles; too few")
        return 1
    tiles_outside = {name: first for name, first in with_tiles.items()
                     if not AMX_FUNCTION.match(name)}
    found |= tiles_outside
    outside = sorted(set(found) - inside | set(tiles_outside))
    for name in outside:
        first, count = found[name]
        print(f"error: {name}: {count} such instructions, the first one: {first}")
    print(f"{len(listing)} lines; {len(outside)} functions need AVX or AMX out of place")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
