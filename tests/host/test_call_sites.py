"""Debug mode at the prompt: who allocated, over a soft reset, and a sandbox that was forgotten."""

from prompt import at_prompt


def test_call_sites_at_the_prompt(stand_in, micropython):
    with at_prompt(stand_in.with_cmdline("debug"), micropython) as prompt:
        assert prompt.run("import selftest; print(selftest.run('questions'))").endswith("\n0\n")
        prompt.run(
            "import pfm; from pfm import PFM\nlab = pfm.sandbox(1)\n\npfn = PFM.alloc(tag='lost')"
        )
        places = "[site.place for site in PFM.call_sites({}).sites]"
        assert prompt.value(places.format("'lost'")) == ["<stdin>:4 in <module>"]
        assert prompt.value("PFM.owners().frames('sbox')") == 256
        prompt.soft_reset()
        prompt.run("from pfm import PFM")
        # The sandbox's memory is back, and names from before the reset are known no more.
        assert prompt.value("PFM.owners().frames('sbox')") == 0
        assert prompt.value(places.format("'disk'")) == ["-"]
        prompt.run("PFM.check(); assert PFM.call_sites().verified")
