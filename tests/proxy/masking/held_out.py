"""Columns the name model was not trained on: other places, other forms, other look-alikes than `tools/names_data.py`.

`CHECKED` places were looked at while the training was set up, `UNSEEN` ones only when it was done.
"""

from __future__ import annotations

import random

CHECKED, UNSEEN = ("pl", "pt", "fi", "tr", "hu"), ("cz", "ro", "vn", "ie")

FIRST = {
    "cz": "Jiří Jana Petr Marie Jan Eva Tomáš Hana Pavel Lenka Zdeněk Věra",
    "ro": "Andrei Ioana Gheorghe Elena Vasile Mihaela Ion Cristina Florin Alina Radu Simona",
    "vn": "Nguyen Anh Minh Thuy Duc Lan Hieu Trang Quang Huong Tuan Linh",
    "ie": "Seán Aoife Ciarán Niamh Pádraig Siobhán Eoin Róisín Declan Gráinne Conor Sinéad",
    "pl": "Krzysztof Agnieszka Zbigniew Małgorzata Tomasz Katarzyna Paweł Joanna Łukasz Grażyna Wojciech Ewa",
    "pt": "João Maria Tiago Beatriz Gonçalo Inês Duarte Catarina Rui Madalena Nuno Mariana",
    "fi": "Juhani Helena Mikko Annikki Antti Johanna Eero Kaarina Jukka Liisa Pekka Päivi",
    "tr": "Mehmet Ayşe Mustafa Emine Hüseyin Hatice İbrahim Zeynep Osman Elif Murat Merve",
    "hu": "László Erzsébet István Ilona Zoltán Katalin Gábor Zsuzsanna Attila Judit Balázs Ágnes",
}
LAST = {
    "cz": "Novák Svobodová Dvořák Černá Procházka Kučerová Veselý Horáková Němec Pokorná",
    "ro": "Popescu Ionescu Dumitru Stan Gheorghiu Rusu Munteanu Matei Constantinescu Marin",
    "vn": "Tran Le Pham Hoang Phan Vu Dang Bui Do Ngo",
    "ie": "Murphy Kelly Byrne Ryan O'Sullivan Doyle McCarthy Gallagher Doherty Kavanagh",
    "pl": "Kowalski Nowak Wiśniewski Wójcik Kamińska Lewandowski Zielińska Szymański Woźniak Dąbrowski",
    "pt": "Silva Santos Ferreira Pereira Oliveira Carvalho Sousa Rodrigues Gonçalves Almeida",
    "fi": "Korhonen Virtanen Mäkinen Nieminen Mäkelä Hämäläinen Laine Heikkinen Koskinen Järvinen",
    "tr": "Yılmaz Kaya Demir Çelik Şahin Yıldız Öztürk Aydın Arslan Doğan",
    "hu": "Nagy Kovács Tóth Szabó Horváth Varga Kiss Molnár Németh Farkas",
}
STREETS = {
    "cz": ("{w} {n}/{m}", "ul. {w} {n}", "Vinohradská Národní Husova Jiráskova Masarykova"),
    "ro": ("Str. {w} nr. {n}", "Bd. {w} {n}, ap. {m}", "Eminescu Unirii Victoriei Libertății Carol"),
    "vn": ("{n} {w}, Quan {m}", "So {n} duong {w}", "Nguyen Hue Tran Phu Hai Ba Trung"),
    "ie": ("{n} {w} Terrace", "{n} {w} Quay, Dublin {m}", "Merrion Ormond Baggot Leeson Shannon"),
    "pl": ("ul. {w} {n}/{m}", "al. {w} {n}", "Marszałkowska Mickiewicza Długa Polna Leśna Słoneczna"),
    "pt": ("Rua {w}, {n}", "Avenida da {w} {n}, {m}º Esq", "Augusta Liberdade Prata Boavista Santa Catarina"),
    "fi": ("{w}katu {n} A {m}", "{w}tie {n}", "Mannerheimin Alek santerin Kauppa Puisto Ranta"),
    "tr": ("{w} Caddesi No: {n}", "{w} Sokak {n}/{m}", "Atatürk İstiklal Cumhuriyet Bağdat Gül"),
    "hu": ("{w} utca {n}.", "{w} út {n}/{m}", "Petőfi Kossuth Rákóczi Széchenyi Arany"),
}
FIRMS = {
    "cz": "s.r.o.|a.s.",
    "ro": "SRL|S.A.",
    "vn": "JSC|Co., Ltd",
    "ie": "DAC|Teo",
    "pl": "Sp. z o.o.|S.A.",
    "pt": "Lda|SA",
    "fi": "Oy|Oyj",
    "tr": "A.Ş.|Ltd. Şti.",
    "hu": "Kft.|Zrt.",
}
FIRM_WORDS = "Medical Transport Finance Property Cloud Steel Marine Travel Agro Optics Robotics Security"

#: Columns of nobody's names.
LOOK_ALIKES: dict[str, str] = {
    "dishes": "Mushroom Risotto|Caesar Salad|Beef Burger|Tomato Soup|Apple Pie|Fish and Chips|Pad Thai|Margherita",
    "sports": "Table Tennis|Ice Hockey|Figure Skating|Rowing|Long Jump|Water Polo|Cross Country|Rugby",
    "jobs": "Nurse|Warehouse Clerk|Truck Driver|Accountant|Head of Purchasing|Junior Analyst|Receptionist|Welder",
    "states": "queued|running|timed_out|archived|awaiting payment|partially shipped|returned|blocked",
    "errors": "disk full|invalid argument|host unreachable|checksum mismatch|too many requests|bad gateway|no such file|broken pipe",
    "goods": "Ceramic Vase|Hiking Boots|LED Strip|Paper Towels|Rain Coat|Garden Chair|Tea Pot|Rubber Duck",
    "notes": "call again on Monday|sent the wrong colour|wants a discount|asked about delivery|will pay next week|no answer|spoke to support|please check stock",
    "codes": "A1-88|ZX-1004|Q77|LOT 12B|REV-C|77-A-12|BX9|KT-2001",
    "months": "March|April|May|June|July|August|September|October",
    "plans": "Team|Business Plus|Family|Student|Lite|Ultimate|Corporate|Solo",
    "reports": "Quarterly Revenue|Churn Overview|Stock Levels|Top Products|Ticket Volume|Delivery Times|Open Invoices|Site Traffic",
    "tags": "urgent|vip|beta|legacy|internal|high-priority|needs review|follow-up",
    "programs": "node exporter|nginx|postgres|cron daemon|mail relay|load balancer|report worker|image resizer",
    "courses": "Organic Chemistry|Modern Art|Basic Accounting|Data Structures|Human Anatomy|Game Theory|Music Theory|Statistics I",
}  # fmt: skip

MORE_LOOK_ALIKES: dict[str, str] = {
    "drinks": "Ginger Beer|Hot Chocolate|Sparkling Water|Flat White|Lemon Soda|Mint Tea|Cold Brew|Tonic",
    "animals": "Snow Leopard|Barn Owl|Sea Turtle|Red Fox|Honey Bee|Grey Wolf|Brown Bear|Salmon",
    "instruments": "Bass Guitar|Snare Drum|Violin|French Horn|Grand Piano|Flute|Cello|Tambourine",
    "stages": "Discovery|Negotiation|Closed Won|Closed Lost|Proposal Sent|Qualified|Contract|Demo Booked",
    "alerts": "high load on node 3|certificate expires soon|replica is behind|queue is full|login from a new device|swap in use|clock skew|slow query",
    "parts": "Brake Disc|Oil Filter|Spark Plug|Rear Bumper|Fuel Pump|Wiper Blade|Air Bag|Timing Belt",
    "answers": "very happy with it|too expensive|would buy again|not what I expected|works fine|arrived late|nothing to add|it broke after a week",
    "classes": "1A|2B|3C-north|4D|5E|6F|7G|8H",
    "features": "dark mode|single sign-on|bulk export|audit log|two-factor login|webhooks|custom fields|rate limits",
    "departments": "Purchasing|Quality Assurance|Research|Facilities|Public Relations|Accounting|Customer Success|Dispatch",
}  # fmt: skip


def columns(places: tuple[str, ...], seed: int, rows: int = 30, each: int = 4) -> list[tuple[str, str, list[str]]]:
    """(what it holds, "" = nothing, where it is from, values)."""
    rng = random.Random(seed)
    made = []
    for place in places:
        for _ in range(each):
            made.append(("person", place, [_person(rng, place) for _ in range(rows)]))
            made.append(("address", place, [_address(rng, place) for _ in range(rows)]))
            made.append(("organisation", place, [_firm(rng, place) for _ in range(rows)]))
    alike = LOOK_ALIKES if places == CHECKED else MORE_LOOK_ALIKES
    made += [("", kind, values.split("|")) for kind, values in alike.items()]
    return made


def _person(rng: random.Random, place: str) -> str:
    first, last = rng.choice(FIRST[place].split()), rng.choice(LAST[place].split())
    return rng.choice([f"{first} {last}", f"{first} {last}", f"{last}, {first}", f"{last} {first}"])


def _address(rng: random.Random, place: str) -> str:
    *forms, words = STREETS[place]
    return rng.choice(forms).format(w=rng.choice(words.split()), n=rng.randint(1, 200), m=rng.randint(1, 30))


def _firm(rng: random.Random, place: str) -> str:
    last, word, end = (
        rng.choice(LAST[place].split()),
        rng.choice(FIRM_WORDS.split()),
        rng.choice(FIRMS[place].split("|")),
    )
    return rng.choice([f"{last} {word} {end}", f"{word} {end}", f"{last} {end}", f"{last} {word}"])
