"""The store of a host: installed codecs, which of them is active, and switching while frames go by.

    blobs/<sha256>                        members of bundles, each once
    codecs/<codec id>/manifest.json       what a codec consists of; [signatures.json] beside it
    names/<name>.json                     the active codec of a name, and those to go back to
    lock                                  held by whoever changes something; readers need none

A codec is there when its manifest is: blobs are written before it and removed after it. Every file
appears whole or not at all (`core/atomic.py`), so that a process may die at any time. What it
leaves then is found by no reader, and `Store.prune` removes it.
"""
