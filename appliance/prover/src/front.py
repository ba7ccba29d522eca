"""A solver on standard input and output: SMT-LIB 2 in, answers out, by cvc5.

The PyPI wheel of cvc5 brings the library and no program. This is the program:
it reads whole commands, runs each, and answers as `cvc5 --lang smt` does.

usage: python3 front.py --version | --tlimit MILLISECONDS
"""

import sys

import cvc5


def fresh(milliseconds):
    """A solver without a past, and what it will know by name."""
    terms = cvc5.TermManager()
    solver = cvc5.Solver(terms)
    solver.setOption("tlimit-per", str(milliseconds))
    return solver, cvc5.SymbolManager(terms)


def answers(solver, symbols, text):
    """What the solver says to one command."""
    parser = cvc5.InputParser(solver, symbols)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "chancery")
    while True:
        command = parser.nextCommand()
        if command.isNull():
            return
        yield command.invoke(solver, symbols)


def commands(stream):
    """The commands of a stream: each a text with its parentheses closed.

    Knows comments, "strings" (a quote inside is doubled) and |quoted symbols|,
    in which parentheses count for nothing.
    """
    text, depth, inside = [], 0, ""
    for line in stream:
        for sign in line:
            if inside == ";":
                if sign == "\n":
                    inside = ""
                continue
            if inside:
                if sign == inside:
                    inside = ""
            elif sign == ";":
                inside = sign
                continue
            elif sign in '"|':
                inside = sign
            elif sign == "(":
                depth += 1
            elif sign == ")":
                depth -= 1
                if depth < 0:
                    raise ValueError("a parenthesis is closed that was not opened")
            text.append(sign)
            if depth == 0 and sign == ")" and not inside:
                yield "".join(text).strip()
                text = []
    if depth or inside in ('"', "|"):
        raise ValueError("the last command is not whole")


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def main():
    if sys.argv[1:] == ["--version"]:
        say("cvc5 " + cvc5.__version__ + "\n")
        return
    if sys.argv[1:2] != ["--tlimit"] or len(sys.argv) != 3:
        sys.exit(__doc__)
    milliseconds = int(sys.argv[2])
    solver, symbols = fresh(milliseconds)
    for text in commands(sys.stdin):
        if text == "(reset)":
            solver, symbols = fresh(milliseconds)
            continue
        try:
            for answer in answers(solver, symbols, text):
                say(answer)
        except RuntimeError as error:
            what = " ".join(str(error).split()).replace('"', "'")
            say('(error "' + what + '")\n')


main()
