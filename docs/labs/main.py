"""The labs on the kernel, `make run APP=docs/labs`: names them, and leaves `check` at the prompt."""

from checking import LABS, check  # noqa: F401

for number, folder in enumerate(LABS, 1):
    print("check({})  {}/start.py".format(number, folder))
