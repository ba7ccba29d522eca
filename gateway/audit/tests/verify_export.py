"""An independent reading of exports and passports: hashes alone, no signatures.

Prints `SIZE ROOT` of the tree, as the records and proofs make it.
"""
import base64
import hashlib
import json
import sys


def sha(data):
    return hashlib.sha256(data).digest()


def root(hashes):
    if len(hashes) < 2:
        return hashes[0] if hashes else sha(b"")
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\x01" + root(hashes[:split]) + root(hashes[split:]))


def root_from_proof(leaf, index, size, proof):  # RFC 9162 section 2.1.3.2
    node, last = leaf, size - 1
    for sibling in proof:
        assert last > 0, "proof too long"
        if index & 1 or index == last:
            node = sha(b"\x01" + sibling + node)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = sha(b"\x01" + node + sibling)
        index, last = index >> 1, last >> 1
    assert last == 0, "proof too short"
    return node


lines = open(sys.argv[1], "rb").read().decode().split("\n")
assert lines.pop() == "", "no line end at the end"
header = json.loads(lines.pop(0))
if "chancery-audit-export" in header:
    leaves = []
    for line in lines:
        if line.startswith("{"):
            _, size, signed, *_ = json.loads(line)["checkpoint"].split("\n")
            assert int(size) == len(leaves) and base64.b64decode(signed) == root(leaves)
        else:
            digest, record = line.split(" ", 1)
            assert json.loads(record)["seq"] == len(leaves)
            leaves.append(sha(b"\x00" + record.encode()))
            assert leaves[-1].hex() == digest
    print(len(leaves), root(leaves).hex())
else:
    _, size, signed, *_ = header["checkpoint"].split("\n")
    for line in lines:
        proof, record = line.split(" ", 1)
        path = [bytes.fromhex(h) for h in proof.split(",")] if proof != "-" else []
        leaf, seq = sha(b"\x00" + record.encode()), json.loads(record)["seq"]
        assert root_from_proof(leaf, seq, int(size), path) == base64.b64decode(signed), seq
    assert len(lines) == header["records"]
    print(size, base64.b64decode(signed).hex())
