"""An engine in a process of its own: while one runs, the others wait at their pipes, with their threads asleep."""
import multiprocessing
import os
import time

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
FIRST_SECONDS = 600  # for converting, loading and the first run
TURN_SECONDS = 300


class Failed(Exception):
    """The engine's process said why it can't, or died."""


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else 0.5 * (ordered[middle - 1] + ordered[middle])


def turn(run, clock, seconds):
    """The median time of a call, from samples of at least 0.2 ms each, for about `seconds`. Calls at the beginning
    drive out of the caches what other engines left there; one that takes longer than the turn needs none."""
    begin = clock()
    run()
    first = max(clock() - begin, 1e-7)
    if first >= seconds:
        return first
    for _ in range(int(0.1 * seconds / first)):
        run()
    repeat = max(1, int(2e-4 / first))
    samples, end = [], time.perf_counter() + seconds
    while not samples or time.perf_counter() < end:
        begin = clock()
        for _ in range(repeat):
            run()
        samples.append((clock() - begin) / repeat)
    return median(samples)


def serve(connection, name, threads, settings, log):
    """Answers (command, arguments...) with ("ok", value) or ("failed", reason)."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)  # engines print as they please
    os.dup2(descriptor, 2)
    from .engines import engine_class
    from .quantized import score
    from .startup import first_output
    state = {}

    def start():
        state["engine"] = engine_class(name)(threads, settings)
        return state["engine"].version

    def load(path, inputs, output_names):
        engine = state["engine"]
        engine.output_names = output_names
        engine.convert(path, inputs)
        engine.load(path, inputs)
        engine.run()
        engine.bind()
        engine.run()

    def startup(path, inputs, output_names, clock):
        state["engine"].output_names = output_names
        return first_output(state["engine"], path, inputs, CLOCKS[clock])

    commands = {
        "start": start,
        "first_output": startup,
        "load": load,
        "turn": lambda clock, seconds: turn(state["engine"].run, CLOCKS[clock], seconds),
        "file_bytes": lambda: state["engine"].file_bytes(),
        "score": lambda path, x, y: score(state["engine"].session, path, x, y),
        "outputs": lambda: state["engine"].outputs(),
        "macs": lambda path, sizes: state["engine"].macs(path, sizes),
        "peak": lambda seconds: state["engine"].peak(seconds),
    }
    while True:
        try:
            command, *arguments = connection.recv()
        except EOFError:
            return
        try:
            connection.send(("ok", commands[command](*arguments)))
        except Exception as error:  # whatever an engine raises is the reason that is printed
            connection.send(("failed", f"{error}".strip() or type(error).__name__))


class Worker:
    """The parent's end."""

    def __init__(self, name, threads, settings):
        log = os.path.join(settings["folder"], f"{name}.log")
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, name, threads, settings, log), daemon=True)
        self.process.start()
        theirs.close()
        self.version = self.ask("start", seconds=FIRST_SECONDS)

    def ask(self, *request, seconds=TURN_SECONDS):
        try:
            self.connection.send(request)
            if not self.connection.poll(seconds):
                self.close()
                raise Failed(f"no answer within {seconds} s")
            status, value = self.connection.recv()
        except (EOFError, OSError):
            self.process.join(5)
            raise Failed(f"its process died ({self.last_words()})") from None
        if status != "ok":
            raise Failed(self.shortened(value))
        return value

    def last_words(self):
        code = self.process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit {code}"

    @staticmethod
    def shortened(reason):
        """The first lines that say something, on one line."""
        lines = [line.strip() for line in reason.splitlines() if line.strip()]
        return " | ".join(lines)[:300]

    def close(self):
        self.connection.close()
        self.process.join(2)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
