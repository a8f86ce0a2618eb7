"""Write arith_crc_tables.h, the tables of the CRC-32C in slices of eight bytes.

Run: python make_crc_tables.py > arith_crc_tables.h

Table 0 steps the checksum over one byte. Table k steps it over one byte followed by k zero
bytes, so that eight bytes are eight independent look-ups and a sum.
"""

POLYNOMIAL = 0x82F63B78  # Castagnoli's 0x1EDC6F41 with its bits reversed
SLICES = 8


def byte_step(value: int) -> int:
    """Return the remainder of one byte, lowest bit first."""
    for _ in range(8):
        value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
    return value


def tables() -> list[list[int]]:
    """Return the tables, each of 256 remainders."""
    first = [byte_step(byte) for byte in range(256)]
    result = [first]
    for _ in range(SLICES - 1):
        result.append([first[value & 0xFF] ^ value >> 8 for value in result[-1]])
    return result


def header() -> str:
    """Return the text of the C header."""
    lines = [
        "/* Made by make_crc_tables.py; not edited by hand. */",
        "#ifndef C3D_ARITH_CRC_TABLES_H",
        "#define C3D_ARITH_CRC_TABLES_H",
        "",
        "#include <stdint.h>",
        "",
        f"static const uint32_t arith_crc_tables[{SLICES}][256] = {{",
    ]
    for table in tables():
        lines.append("    {")
        for row in range(0, 256, 8):
            numbers = ", ".join(f"0x{value:08x}" for value in table[row : row + 8])
            lines.append(f"        {numbers},")
        lines.append("    },")
    return "\n".join([*lines, "};", "", "#endif", ""])


if __name__ == "__main__":
    print(header(), end="")
