"""Write arith_crc_tables.h, the tables of the CRC-32C.

Run: python make_crc_tables.py > arith_crc_tables.h

Table 0 steps the checksum over one byte. Table k steps it over one byte followed by k zero
bytes, so that eight bytes are eight independent look-ups and a sum. The four shift tables step
the four bytes of a checksum over BLOCK zero bytes, to join the checksums of neighbouring blocks.
"""

POLYNOMIAL = 0x82F63B78  # Castagnoli's 0x1EDC6F41 with its bits reversed
SLICES = 8
BLOCK = 512


def byte_step(value: int) -> int:
    """Return the remainder of one byte, lowest bit first."""
    for _ in range(8):
        value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
    return value


FIRST = [byte_step(byte) for byte in range(256)]


def after_zeros(value: int, count: int) -> int:
    """Return what a remainder becomes when `count` zero bytes follow."""
    for _ in range(count):
        value = FIRST[value & 0xFF] ^ value >> 8
    return value


def slices() -> list[list[int]]:
    """Return the tables of slicing-by-8, each of 256 remainders."""
    return [[after_zeros(value, k) for value in FIRST] for k in range(SLICES)]


def shifts() -> list[list[int]]:
    """Return the tables of a block of zeros, one for each byte of a remainder."""
    return [[after_zeros(byte << 8 * k, BLOCK) for byte in range(256)] for k in range(4)]


def declaration(name: str, tables: list[list[int]]) -> list[str]:
    """Return the lines of a two-dimensional constant."""
    lines = [f"static const uint32_t {name}[{len(tables)}][256] = {{"]
    for table in tables:
        lines.append("    {")
        for row in range(0, 256, 8):
            numbers = ", ".join(f"0x{value:08x}" for value in table[row : row + 8])
            lines.append(f"        {numbers},")
        lines.append("    },")
    return [*lines, "};"]


def header() -> str:
    """Return the text of the C header."""
    lines = [
        "/* Made by make_crc_tables.py; not edited by hand. */",
        "#ifndef C3D_ARITH_CRC_TABLES_H",
        "#define C3D_ARITH_CRC_TABLES_H",
        "",
        "#include <stdint.h>",
        "",
        *declaration("arith_crc_tables", slices()),
        "",
        "#if defined(__x86_64__)",
        f"#define ARITH_CRC_BLOCK {BLOCK}u",
        "",
        *declaration("arith_crc_shift", shifts()),
        "#endif",
        "",
        "#endif",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(header(), end="")
