"""The cells of a sheet as lines: tabs between them, a line end after a row, what is in hidden rows and columns apart.

Nothing is held by a sheet's stated size: a cell in the last row of the last column costs what any cell costs.
"""

from dlp.extract.budget import Budget

_LINE = 1 << 20
"""Characters of a row from which on it is given out in pieces."""
_COLUMNS = 1 << 14
"""Columns of a sheet ([MS-XLSB] 2.2.1)."""


class Grid:
    """Cells in, lines out. `hidden` are the texts of hidden rows and columns, in lines as well."""

    def __init__(self, budget: Budget) -> None:
        self.hidden: list[str] = []
        self._hides = False
        self._hidden_rows: set[int] = set()
        self._hidden_columns: set[int] = set()
        self._budget = budget
        self._row = -1
        self._shown: list[str] = []
        self._dark: list[str] = []
        self._open = False
        self._size = 0
        self._spent = 0

    def hide_row(self, row: int) -> None:
        """A row is not shown."""
        self._hidden_rows.add(row)
        self._hides = True

    def hide_columns(self, first: int, last: int) -> None:
        """Columns from `first` to `last`, counted from 0, are not shown."""
        self._hidden_columns.update(range(first, min(last + 1, _COLUMNS)))
        self._hides = True

    @property
    def hides_columns(self) -> bool:
        """Whether any column is hidden; if none is, `place` does not ask which one a cell is in."""
        return bool(self._hidden_columns)

    def place(self, row: int, column: int, text: str) -> str:
        """Take in a cell; what this completes: the row before, if `row` is another one. Raises what `Budget.spend` raises."""
        done = ""
        if row != self._row:
            done = self._line()
            self._row = row
        elif self._size > _LINE:
            done = self._piece()
        if text:
            self._size += len(text)
            if self._hides and (row in self._hidden_rows or column in self._hidden_columns):
                self._dark.append(text)
            else:
                self._shown.append(text)
        return done

    def run(self, row: int, column: int, texts: list[str]) -> str:
        """The same for neighbours in one row, none of them empty."""
        if self._hides:
            return "".join([self.place(row, column + beside, text) for beside, text in enumerate(texts)])
        done = self.place(row, column, texts[0]) if texts else ""
        self._shown += texts[1:]
        self._size += sum(map(len, texts[1:]))
        return done

    def end(self) -> str:
        """The rest."""
        done = self._line()
        self._budget.spend(self._spent)
        self._spent = 0
        return done

    def _line(self) -> str:
        line = self._piece() if self._shown or self._dark else ""
        if self._open:
            line += "\n"
            self._open = False
        return line

    def _piece(self) -> str:
        """What is held of the row. A few bytes may refer to a long string any number of times, so characters are spent."""
        self._spent += self._size
        self._size = 0
        if self._spent > _LINE:
            self._budget.spend(self._spent)
            self._spent = 0
        if self._dark:
            self.hidden.append("\t".join(self._dark) + "\n")
            self._dark = []
        if not self._shown:
            return ""
        line = "\t" + "\t".join(self._shown)
        self._shown = []
        self._open = True
        return line
