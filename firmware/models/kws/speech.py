# SPDX-License-Identifier: Apache-2.0
"""One-second sounds of words, spoken by espeak-ng in many voices, with noise. Everything depends on the seed alone.

A voice is an accent and a variant of espeak-ng. The variants, which make a speaker, are split: those that are held out
are heard in no training sound, in no accent. Variants that are one speaker's (steph, steph2) are on the same side.
"""

from __future__ import annotations

import io
import subprocess
import wave
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, resample_poly

from frontend import SAMPLE_RATE, SAMPLES
from training.exact import Array, normal, uniform

KEYWORDS = ("yes", "no")
OTHERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("up", "down", "left", "right", "on", "off", "stop", "go", "light", "door"),
)
CLASSES = (*KEYWORDS, "unknown")
ACCENTS = (
    *("en-us", "en-us-nyc", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"),
)
HELD_OUT = (
    *("Alex", "Alicia", "Hugo", "Mike", "adam", "belinda", "boris", "f5", "kaukovalta", "linda", "m8", "max", "pablo"),
    *("steph", "steph2", "steph3", "zac"),
)
TRAINING = (
    *("Andrea", "Andy", "Annie", "AnxiousAndy", "Denis", "Diogo", "Gene", "Gene2", "Henrique", "Jacky", "Lee"),
    *("Marco", "Mario", "Michael", "Nguyen", "RicishayMax", "RicishayMax2", "RicishayMax3", "Storm", "Tweaky"),
    *("anika", "announcer", "antonio", "aunty", "benjamin", "caleb", "croak", "david", "ed", "edward", "edward2"),
    *("f1", "f2", "f3", "f4", "grandma", "grandpa", "gustave", "iven", "iven2", "iven3", "iven4", "john", "klatt"),
    *("klatt2", "klatt3", "klatt4", "klatt5", "klatt6", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "marcelo", "michel"),
    *("miguel", "norbert", "paul", "pedro", "quincy", "rob", "robert", "sandro", "shelby", "travis", "victor"),
)


@dataclass(frozen=True)
class Sounds:
    """samples: int16 (n, 16000); labels: (n,), numbers of CLASSES; speakers: (n,), variants, "" where none speaks."""

    samples: NDArray[np.int16]
    labels: NDArray[np.int64]
    speakers: NDArray[np.str_]


def record(variants: tuple[str, ...], per_keyword: int, per_other: int, mixes: int, noises: int) -> Sounds:
    """From every variant so many utterances of each keyword and of each other word, each in so many mixes with noise,
    and sounds without any word."""
    samples, labels, speakers = [], [], []
    for variant in variants:
        for word in (*KEYWORDS, *OTHERS):
            for take in range(per_keyword if word in KEYWORDS else per_other):
                name = f"kws {variant} {word} {take}"
                speech = _spoken(name, variant, word)
                samples += [_mixed(f"{name} {mix}", speech) for mix in range(mixes)]
                labels += [KEYWORDS.index(word) if word in KEYWORDS else len(KEYWORDS)] * mixes
                speakers += [variant] * mixes
    for number in range(noises):
        samples.append(_mixed(f"kws noise {variants[0]} {number}", np.zeros(0)))
        labels.append(len(KEYWORDS))
        speakers.append("")
    return Sounds(np.stack(samples), np.array(labels), np.array(speakers))


def _spoken(name: str, variant: str, word: str) -> Array:
    """The word at 16 kHz, without the silence around it, its largest sample 1."""
    accent, speed, pitch, melody = uniform(f"{name} voice", 4)
    voice = f"{ACCENTS[int(accent * len(ACCENTS))]}+{variant}"
    # Words a minute, and pitch from 0 to 99. The last number is the full stop or question mark of a sentence.
    settings = ["-v", voice, "-s", str(int(110 + speed * 130)), "-p", str(int(10 + pitch * 80))]
    text = word + ("?" if melody < 0.3 else "!" if melody < 0.5 else "")
    done = subprocess.run(["espeak-ng", *settings, "--stdout", text], capture_output=True, check=True)
    with wave.open(io.BytesIO(done.stdout)) as file:
        rate = file.getframerate()
        # Written to a pipe, the header's length is that of no file.
        sound = np.frombuffer(file.readframes(1 << 24), "<i2").astype(np.float64)
    if rate != 22050:
        raise SystemExit(f"espeak-ng spoke {word!r} as {voice} at {rate} Hz, not at 22,050")
    sound = resample_poly(sound, 320, 441)
    loud = np.nonzero(np.abs(sound) > 0.01 * np.abs(sound).max())[0]
    sound = sound[loud[0] : loud[-1] + 1]
    return sound / np.abs(sound).max()


def _mixed(name: str, speech: Array) -> NDArray[np.int16]:
    """One second with the speech at a place, a loudness and a distance from the noise that `name` draws."""
    place, level, distance, colour, hum = uniform(f"{name} mix", 5)
    speech = speech[:SAMPLES]
    sound = np.zeros(SAMPLES)
    first = int(place * (SAMPLES - len(speech) + 1))
    sound[first : first + len(speech)] = speech
    # White to brown, and now and then the mains.
    noise = lfilter([1.0], [1.0, -0.95 * colour], normal(f"{name} noise", SAMPLES))
    noise = noise / np.sqrt(np.mean(noise**2))
    if hum < 0.2:
        tone = np.arange(SAMPLES) * (2 * np.pi * (50 if hum < 0.1 else 60) / SAMPLE_RATE)
        noise += np.sin(tone) + 0.5 * np.sin(3 * tone)
    decibels = 8 + 32 * distance
    loudness = np.sqrt(np.mean(speech**2)) if len(speech) else 0.2
    sound = sound + noise * (loudness * 10 ** (-decibels / 20))
    sound *= 10 ** (-1.2 * level) / np.abs(sound).max()
    return np.rint(sound * 32767).astype(np.int16)
