package main

// givenName is a first name in its usual spelling and in its ASCII spelling for addresses.
type givenName struct{ name, ascii string }

var firstNames = []givenName{
	{"Ada", "ada"}, {"Adele", "adele"}, {"Aiko", "aiko"}, {"Alma", "alma"}, {"Amara", "amara"}, {"Ana", "ana"},
	{"André", "andre"}, {"Anouk", "anouk"}, {"Arjun", "arjun"}, {"Astrid", "astrid"}, {"Béla", "bela"}, {"Bianca", "bianca"},
	{"Björn", "bjorn"}, {"Carmen", "carmen"}, {"Chidi", "chidi"}, {"Chloé", "chloe"}, {"Dario", "dario"}, {"Deniz", "deniz"},
	{"Dmitri", "dmitri"}, {"Edda", "edda"}, {"Elif", "elif"}, {"Emeka", "emeka"}, {"Enzo", "enzo"}, {"Fatima", "fatima"},
	{"Felix", "felix"}, {"Freya", "freya"}, {"Gabriel", "gabriel"}, {"Greta", "greta"}, {"Hana", "hana"}, {"Hugo", "hugo"},
	{"Ilse", "ilse"}, {"Imani", "imani"}, {"Ingrid", "ingrid"}, {"Isak", "isak"}, {"Jamal", "jamal"}, {"Joana", "joana"},
	{"José", "jose"}, {"Jürgen", "jurgen"}, {"Kaito", "kaito"}, {"Katya", "katya"}, {"Kofi", "kofi"}, {"Lars", "lars"},
	{"Leila", "leila"}, {"Lucía", "lucia"}, {"Luca", "luca"}, {"Maja", "maja"}, {"Malik", "malik"}, {"Mateo", "mateo"},
	{"Mei", "mei"}, {"Milan", "milan"}, {"Nadia", "nadia"}, {"Nils", "nils"}, {"Noor", "noor"}, {"Olga", "olga"},
	{"Omar", "omar"}, {"Paula", "paula"}, {"Priya", "priya"}, {"Quentin", "quentin"}, {"Ravi", "ravi"}, {"Renée", "renee"},
	{"Rosa", "rosa"}, {"Sami", "sami"}, {"Signe", "signe"}, {"Sofia", "sofia"}, {"Søren", "soren"}, {"Tariq", "tariq"},
	{"Tomás", "tomas"}, {"Ursula", "ursula"}, {"Vera", "vera"}, {"Wanjiru", "wanjiru"}, {"Xenia", "xenia"}, {"Yara", "yara"},
	{"Yusuf", "yusuf"}, {"Zoë", "zoe"},
}

var lastNames = []string{
	"Abara", "Almeida", "Andersson", "Aydin", "Baptiste", "Bauer", "Becker", "Bianchi", "Blom", "Bonnet", "Borg", "Brandt",
	"Carvalho", "Castro", "Chen", "Costa", "Dahl", "Demir", "Diallo", "Dubois", "Eriksen", "Falk", "Farkas", "Ferrari",
	"Fischer", "Fontaine", "Fuentes", "Garcia", "Girard", "Gruber", "Haas", "Hansen", "Hoffmann", "Horvat", "Ibrahim", "Ito",
	"Jansen", "Jensen", "Kaya", "Keller", "Khan", "Kim", "Klein", "Kovac", "Kowalski", "Kumar", "Lambert", "Larsen",
	"Leroy", "Lindgren", "Lopez", "Maier", "Marino", "Martins", "Mensah", "Meyer", "Moreau", "Mori", "Mwangi", "Nagy",
	"Nakamura", "Nguyen", "Novak", "Nwosu", "Okafor", "Olsen", "Ortega", "Osei", "Patel", "Pereira", "Petrov", "Popescu",
	"Ramos", "Ricci", "Rossi", "Roy", "Sato", "Schmid", "Silva", "Singh", "Sorensen", "Suzuki", "Tanaka", "Toth",
	"Vargas", "Varga", "Vidal", "Virtanen", "Vogel", "Wagner", "Weber", "Wong", "Yamamoto", "Yilmaz", "Zhang", "Zimmer",
}

var cities = []string{
	"Aarhus", "Accra", "Amsterdam", "Barcelona", "Basel", "Bengaluru", "Bergen", "Bogotá", "Bologna", "Brno", "Cape Town",
	"Córdoba", "Dublin", "Gdańsk", "Ghent", "Graz", "Göteborg", "Helsinki", "İzmir", "Kraków", "Kyoto", "Lagos", "Leipzig",
	"Lille", "Lisboa", "Ljubljana", "Łódź", "Lyon", "Malmö", "Medellín", "Montréal, QC", "München", "Nairobi", "Osaka",
	"Oulu", "Porto", "Portland, OR", "Pune", "Reykjavík", "Rosario", "Rotterdam", "São Paulo", "Sevilla", "Tallinn",
	"Tampere", "Torino", "Utrecht", "Valparaíso", "Vilnius", "Washington, DC", "Wien", "Zagreb", "Zürich",
}
