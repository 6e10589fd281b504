metadata(
    version="0.2.0",
    description="A physical page frame manager in pure MicroPython, for x86-64.",
    license="MIT OR Apache-2.0",
)
package("pfm", base_path="..", opt=0)
