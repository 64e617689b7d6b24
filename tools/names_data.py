"""What the name model is trained on: common names and address words of a dozen places, and what looks like them."""

from __future__ import annotations

FIRST = {
    "en": "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph Jessica Thomas Sarah Charles Karen Oliver Amelia George Isla Harry Ava Noah Emily Jack Sophie Ethan Grace Liam Chloe Mason Hannah Lucas Zoe Henry Megan Peter Alice Simon Ruth Walter Helen Arthur Rose Frank Judith",
    "de": "Hans Anna Peter Ursula Klaus Monika Wolfgang Petra Jürgen Elke Dieter Sabine Manfred Renate Uwe Karin Günter Brigitte Lukas Lea Finn Mia Jonas Emma Felix Hannah Maximilian Lena Matthias Katrin Stefan Heike Andreas Silke Thorsten Anke Björn Jutta Jörg Käthe",
    "fr": "Jean Marie Pierre Jeanne Michel Françoise André Monique Philippe Catherine René Nathalie Louis Isabelle Alain Jacqueline Jacques Sylvie Bernard Martine Léo Manon Hugo Camille Théo Chloé Clément Élodie Mathieu Aurélie Sébastien Céline Benoît Hélène Gérard Odile",
    "es": "Antonio María José Carmen Manuel Ana Francisco Isabel David Laura Juan Cristina Javier Marta Daniel Lucía Carlos Elena Miguel Pilar Alejandro Paula Rafael Raquel Pedro Rosa Ángel Beatriz Sergio Rocío Álvaro Inés Íñigo Begoña Ramón Dolores",
    "it": "Giuseppe Maria Giovanni Anna Antonio Giuseppina Mario Rosa Luigi Angela Francesco Giovanna Angelo Teresa Vincenzo Lucia Pietro Carmela Salvatore Caterina Carlo Francesca Franco Assunta Matteo Chiara Lorenzo Giulia Alessandro Sofia Niccolò Ginevra",
    "nl": "Jan Johanna Cornelis Maria Hendrik Anna Pieter Elisabeth Willem Cornelia Daan Sanne Sem Lotte Bram Fleur Thijs Femke Ruben Maaike Joost Marieke Sjoerd Anouk Gijs Tess",
    "se": "Erik Maria Lars Anna Karl Margareta Anders Elisabeth Johan Eva Per Kristina Nils Birgitta Mikael Karin Lennart Ingrid Göran Åsa Björn Linnéa Gustav Elsa Axel Astrid",
    "in": "Aarav Ananya Vivaan Aditi Aditya Priya Arjun Divya Rahul Pooja Rohan Neha Sanjay Sunita Rajesh Lakshmi Vikram Kavita Anil Meera Suresh Deepa Amit Shreya Ravi Padma Krishnan Radhika",
    "cn": "Wei Fang Xiu Na Min Jing Li Qiang Lei Yang Yan Jun Jie Juan Tao Xia Chao Ming Hui Ping Gang Xin Bo Mei Zhen Hong Guang Yi",
    "ar": "Mohammed Fatima Ahmed Aisha Ali Khadija Omar Maryam Hassan Zainab Khalid Layla Ibrahim Noor Yusuf Salma Mustafa Huda Tariq Amina Samir Rania Karim Yasmin",
    "ru": "Aleksandr Anastasia Dmitry Elena Sergei Olga Andrei Natalia Alexei Svetlana Ivan Ekaterina Mikhail Tatiana Nikolai Irina Vladimir Marina Pavel Galina Igor Yulia Oleg Ludmila",
    "jp": "Haruto Yui Yuto Hina Sota Aoi Hiroshi Keiko Takashi Yoko Kenji Naoko Satoshi Akiko Kazuo Michiko Daiki Sakura Ryo Misaki Shinji Emi",
}

LAST = {
    "en": "Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor Thomas Moore Jackson Martin Thompson White Harris Clark Lewis Robinson Walker Young Allen King Wright Scott Hill Green Adams Baker Nelson Carter Mitchell Roberts Turner Phillips Campbell Parker Evans Edwards Collins Stewart O'Brien O'Neill McDonald MacLeod Fitzgerald Lovelace Hopper",
    "de": "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Krause Lehmann Köhler Herrmann König Walter Kaiser Huber Vogel",
    "fr": "Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy Moreau Simon Laurent Lefebvre Michel Garcia David Bertrand Roux Vincent Fournier Morel Girard Mercier Dupont Lambert Bonnet François Legrand Garnier Faure Rousseau Blanc Guérin Chevalier",
    "es": "García González Rodríguez Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez Ruiz Hernández Díaz Moreno Muñoz Álvarez Romero Alonso Gutiérrez Navarro Torres Domínguez Vázquez Ramos Gil Ramírez Serrano Blanco Molina",
    "it": "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo Conti Costa Giordano Mancini Rizzo Lombardi Moretti Barbieri Fontana Santoro Mariani Rinaldi Caruso Ferrara Galli Martini Leone Longo",
    "nl": "Jong Jansen Vries Berg Bakker Dijk Visser Smit Meijer Boer Mulder Groot Bos Vos Peters Hendriks Leeuwen Dekker Brouwer Wit Dijkstra Smits Graaf Meer Linden Kok",
    "se": "Andersson Johansson Karlsson Nilsson Eriksson Larsson Olsson Persson Svensson Gustafsson Pettersson Jonsson Jansson Hansson Bengtsson Jönsson Lindberg Jakobsson Magnusson Lindström Lindqvist Bergström Sjöberg",
    "in": "Sharma Verma Gupta Singh Kumar Patel Reddy Iyer Nair Menon Rao Joshi Mehta Shah Desai Chopra Kapoor Malhotra Banerjee Chatterjee Mukherjee Das Ghosh Pillai Naidu Agarwal",
    "cn": "Wang Li Zhang Liu Chen Yang Huang Zhao Wu Zhou Xu Sun Ma Zhu Hu Guo He Lin Luo Gao Zheng Liang Xie Tang Xiao Deng",
    "ar": "Khan Hussein Mansour Haddad Khoury Saleh Nasser Farah Hamdan Abbas Rahman Aziz Malik Najjar Sayed Bakri Darwish Qasim Sabbagh Zaki El-Amin Al-Masri",
    "ru": "Ivanov Smirnova Kuznetsov Popova Vasiliev Petrova Sokolov Mikhailova Novikov Fedorova Morozov Volkova Alekseev Lebedeva Semenov Egorova Pavlov Kozlova Stepanov Nikolaeva Orlov Zakharova",
    "jp": "Sato Suzuki Takahashi Tanaka Watanabe Ito Yamamoto Nakamura Kobayashi Kato Yoshida Yamada Sasaki Yamaguchi Matsumoto Inoue Kimura Hayashi Shimizu Mori Abe Ikeda Hashimoto",
}

STREETS = (
    "{n} {w} Street|{n} {w} St|{n} {w} Avenue, Apt {m}|{n} {w} Rd|{n} {w} Lane|{n} {w} Drive|{n} {w} Blvd, Suite {m}|{n} {w} Close|{n} {w} Court|{n} {w} Way|Flat {m}, {n} {w} Road"
    "|{w}straße {n}|{w}str. {n}|{w}weg {n}|{w}platz {n}|{w}allee {n}a|Am {w} {n}|{n} rue de {w}|{n} avenue {w}|{n} bis, rue {w}|{n}, place de la {w}"
    "|Calle {w} {n}|Calle de {w}, {n}, {m}º B|Avenida {w} {n}|Plaza {w} {n}|Via {w} {n}|Via {w}, {n}/{m}|Piazza {w} {n}|Corso {w} {n}"
    "|{w}straat {n}|{w}laan {n}|{w}gracht {n}|{w}vägen {n}|{w}gatan {n}|{n} {w} Road, {w} Nagar|{n} {w} Marg|P.O. Box {n}"
)
STREET_WORDS = "Oak Maple Cedar Elm Main Church High Park Station Mill Victoria Queens Bridge Garden Lake Hill River Spring Bahnhof Haupt Garten Linden Rosen Schul Kirch Berliner Goethe Schiller République Liberté Victor Gambetta Pasteur Mayor Alcalá Goya Serrano Roma Garibaldi Dante Mazzini Verdi Kerk Dorp Prinsen Heren Stor Kungs Drottning Gandhi Nehru Nelson Madison Lincoln Jefferson Washington"
CITIES = "London Manchester Leeds Bristol Boston Chicago Denver Austin Seattle Berlin Hamburg München Köln Frankfurt Paris Lyon Marseille Toulouse Madrid Barcelona Sevilla Valencia Roma Milano Napoli Torino Amsterdam Utrecht Rotterdam Stockholm Göteborg Mumbai Pune Delhi Chennai Tokyo Osaka"

ORGANISATIONS = "{l} {s}|{l} & {k} {s}|{a} {b}|{a} {b} {s}|{l} {b}|{l} {b} {s}|{a} {s}|{l} & Sons|{l} und {k} {s}|{a}{c} {s}|{c} {b} {s}|Bank of {c}|University of {c}|{c} City Council|{l} Group"
SUFFIXES = "Ltd|Ltd.|Inc.|Inc|LLC|GmbH|AG|SA|S.A.|S.p.A.|SARL|B.V.|N.V.|AB|Oy|PLC|Corp.|Co.|KG|GmbH & Co. KG|Limited|Corporation|Holdings|Group|Pvt Ltd|S.L.|e.V."
ORG_WORDS = "Global Northern United Pacific Atlantic National General First Royal Allied Advanced Modern Bright Blue Red Silver Golden Green Prime Apex Summit Nova Vertex Omega Delta Quantum Stellar Inter Euro Trans Digital Smart"
BUSINESS = "Bank Insurance Logistics Foods Systems Solutions Consulting Software Technologies Motors Energy Pharma Industries Media Partners Capital Ventures Labs Studio Hotels Airlines Textiles Chemicals Engineering Services Hospital Trading Design Publishing Brewery Bakery Telecom Retail Electronics Foundation Institute Clinic"

#: Short texts of business data that are nobody's name.
PLAIN = (
    "active|inactive|pending|open|closed|shipped|cancelled|in progress|on hold|new|draft|approved|rejected|refunded|paid|unpaid|overdue|failed|succeeded|retry|unknown|n/a|none|yes|no|true|false"
    "|free|basic|pro|enterprise|gold|silver|platinum|starter|monthly|yearly|trial|premium plan|Premium|Standard|Basic|Gold|Enterprise"
    "|red|green|blue|black|white|small|medium|large|XL|XXL|Monday|Tuesday|Friday|January|February|December|Q1 2024|Q3"
    "|Customer Support|Human Resources|Sales|Marketing|Engineering|Finance|Legal|Operations|Account Manager|Software Engineer|Senior Developer|Chief Technology Officer|Team Lead|Product Owner|Sales Representative|Data Scientist"
    "|Germany|France|United Kingdom|United States|Spain|Italy|India|Japan|Sweden|Netherlands|EUR|USD|GBP|en-US|de-DE|fr_FR|Europe/Berlin|America/New_York|UTC"
    "|Wireless Mouse|Coffee Mug|Running Shoes|Office Chair|Laptop Stand|USB-C Cable|Green Tea|Olive Oil|Desk Lamp|Water Bottle|Winter Jacket|Cotton Shirt|Bluetooth Speaker|Yoga Mat|Notebook A5|Garden Hose|Phone Case|Gift Card|Steel Pan|Wool Socks"
    "|credit card|bank transfer|paypal|invoice|cash|direct debit|standard shipping|express|next day|pickup|web|mobile|store|api|email|phone|chat"
    "|Please call back tomorrow|Customer asked for a refund|Package was damaged on arrival|left at the door|Wrong size, wants exchange|duplicate of an older ticket|Login does not work|cannot reset password|Thanks for your help|great product, fast delivery|slow response"
    "|connection timed out|null pointer exception|user not found|permission denied|index rebuilt|cache miss|job finished|GET /api/orders 200|worker started|out of memory"
    "|main|develop|release candidate|backend|frontend|production|staging|test|eu-west-1|us-east-1|application/json|text/html|image/png|Mozilla Firefox|Google Chrome|Windows 11|Android|iPhone 15"
    "|Daily Report|Monthly Invoice|Weekly Summary|Terms of Service|Privacy Policy|Welcome Email|Password Reset|Order Confirmation|Summer Sale|Black Friday|New Arrivals|Home Page|Contact Form|Shopping Cart"
    "|Chocolate Cake|Chicken Curry|Garlic Bread|Vegetable Lasagne|Orange Juice|Grilled Salmon|Iced Latte|Mountain Bike|Leather Wallet|Travel Pillow|Silver Necklace|Glass Bowl|Paper Clips|Ink Cartridge|Dish Soap|Floor Lamp|Tennis Racket|Football|Swimming|Cycling|Volleyball|Golf|Skiing|Boxing|Chess"
    "|Cashier|Electrician|Plumber|Cook|Teacher|Driver|Nurse Assistant|Store Manager|Office Assistant|Security Guard|Data Engineer|Head of Sales|Junior Designer|Machine Operator|Intern"
    "|Physics|Calculus|Economics|Machine Learning|Art History|Creative Writing|Statistics|Geography|Operating Systems|Computer Networks|File Server|Web Proxy|Message Queue|Search Index|Batch Runner|Print Spooler|Backup Agent|Log Shipper"
    "|Sales Pipeline|Cost Center|Budget Plan|Active Users|Error Rate|Page Views|Exchange Rates|Top Customers|Late Deliveries|Order History|spring|summer|autumn|winter|morning|evening|north|south|left|right|public|private|default|custom|optional|required"
    "|The Great Gatsby|Blue Monday|Advanced Chemistry|Introduction to Biology|World History|Linear Algebra|Room 12|Building B|Floor 3|Table 9|Version 2|Step 4|Level 5"
)
