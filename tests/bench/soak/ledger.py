"""Who must get what: publishers number their messages from 1, and a subscriber says which numbers came."""


class Ledger:
    """What one subscriber, or the members of one group together, must get from each publisher."""

    def __init__(self, name, *, exactly_once=False, ordered=True):
        self.name = name
        self.exactly_once = exactly_once
        self.ordered = ordered
        self.published = {}
        self.contiguous = {}  # per publisher: all up to here came
        self.ahead = {}  # per publisher: what came beyond that
        self.arrivals = 0
        self.duplicates = 0
        self.reordered = 0

    def expect(self, publisher, number):
        self.published[publisher] = number

    def arrived(self, payload):
        """`payload` begins with the publisher's name and the number."""
        publisher, number = payload.split(b" ", 2)[:2]
        publisher, number = publisher.decode(), int(number)
        self.arrivals += 1
        last = self.contiguous.get(publisher, 0)
        ahead = self.ahead.setdefault(publisher, set())
        if number <= last or number in ahead:
            self.duplicates += 1
            return
        if ahead and number < max(ahead):
            self.reordered += 1
        ahead.add(number)
        while last + 1 in ahead:
            last += 1
            ahead.discard(last)
        self.contiguous[publisher] = last

    def missing(self):
        return sum(number - self.contiguous.get(publisher, 0) - len(self.ahead.get(publisher, ()))
                   for publisher, number in self.published.items())

    def faults(self):
        """What is wrong at the end, as sentences."""
        found = []
        if self.missing():
            gaps = {publisher: f"{self.contiguous.get(publisher, 0) + 1}.." for publisher, number
                    in self.published.items() if self.contiguous.get(publisher, 0) < number}
            found.append(f"{self.name}: {self.missing()} messages missing, from {gaps} on")
        if self.exactly_once and self.duplicates:
            found.append(f"{self.name}: {self.duplicates} messages came twice")
        if self.ordered and self.reordered:
            found.append(f"{self.name}: {self.reordered} messages out of order")
        return found

    def __str__(self):
        return (f"{self.name}: {sum(self.published.values())} published, {self.arrivals} arrived, "
                f"{self.missing()} missing, {self.duplicates} duplicates, {self.reordered} out of order")
