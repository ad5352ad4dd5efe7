"""Countries by the names that shops' exports have for them, as ISO 3166 alpha-2 codes.

The codes are those of the standard's 2024 edition; the names are the usual English ones and what real files have.
"""

from __future__ import annotations

from functools import cache

# One line for each initial letter of a code: "CODE=name/other name, …".
_NAMES = """
AD=Andorra, AE=United Arab Emirates/UAE, AF=Afghanistan, AG=Antigua and Barbuda, AI=Anguilla, AL=Albania, AM=Armenia,
AO=Angola, AQ=Antarctica, AR=Argentina, AS=American Samoa, AT=Austria/Österreich, AU=Australia, AW=Aruba,
AX=Åland Islands, AZ=Azerbaijan
BA=Bosnia and Herzegovina, BB=Barbados, BD=Bangladesh, BE=Belgium/Belgique/België, BF=Burkina Faso, BG=Bulgaria,
BH=Bahrain, BI=Burundi, BJ=Benin, BL=Saint Barthélemy, BM=Bermuda, BN=Brunei, BO=Bolivia, BQ=Caribbean Netherlands,
BR=Brazil/Brasil, BS=Bahamas, BT=Bhutan, BV=Bouvet Island, BW=Botswana, BY=Belarus, BZ=Belize
CA=Canada, CC=Cocos Islands, CD=DR Congo/Democratic Republic of the Congo, CF=Central African Republic, CG=Congo,
CH=Switzerland/Schweiz/Suisse, CI=Côte d'Ivoire/Ivory Coast, CK=Cook Islands, CL=Chile, CM=Cameroon, CN=China,
CO=Colombia, CR=Costa Rica, CU=Cuba, CV=Cape Verde/Cabo Verde, CW=Curaçao, CX=Christmas Island, CY=Cyprus,
CZ=Czech Republic/Czechia
DE=Germany/Deutschland, DJ=Djibouti, DK=Denmark/Danmark, DM=Dominica, DO=Dominican Republic, DZ=Algeria
EC=Ecuador, EE=Estonia, EG=Egypt, EH=Western Sahara, ER=Eritrea, ES=Spain/España, ET=Ethiopia
FI=Finland/Suomi, FJ=Fiji, FK=Falkland Islands, FM=Micronesia, FO=Faroe Islands, FR=France
GA=Gabon, GB=United Kingdom/UK/Great Britain/England/Scotland/Wales/Northern Ireland, GD=Grenada, GE=Georgia,
GF=French Guiana, GG=Guernsey, GH=Ghana, GI=Gibraltar, GL=Greenland, GM=Gambia, GN=Guinea, GP=Guadeloupe,
GQ=Equatorial Guinea, GR=Greece, GS=South Georgia and the South Sandwich Islands, GT=Guatemala, GU=Guam,
GW=Guinea-Bissau, GY=Guyana
HK=Hong Kong, HM=Heard Island and McDonald Islands, HN=Honduras, HR=Croatia, HT=Haiti, HU=Hungary
ID=Indonesia, IE=Ireland/EIRE/Republic of Ireland, IL=Israel, IM=Isle of Man, IN=India,
IO=British Indian Ocean Territory, IQ=Iraq, IR=Iran, IS=Iceland, IT=Italy/Italia
JE=Jersey, JM=Jamaica, JO=Jordan, JP=Japan
KE=Kenya, KG=Kyrgyzstan, KH=Cambodia, KI=Kiribati, KM=Comoros, KN=Saint Kitts and Nevis, KP=North Korea,
KR=South Korea/Korea/Republic of Korea, KW=Kuwait, KY=Cayman Islands, KZ=Kazakhstan
LA=Laos, LB=Lebanon, LC=Saint Lucia, LI=Liechtenstein, LK=Sri Lanka, LR=Liberia, LS=Lesotho, LT=Lithuania,
LU=Luxembourg, LV=Latvia, LY=Libya
MA=Morocco, MC=Monaco, MD=Moldova, ME=Montenegro, MF=Saint Martin, MG=Madagascar, MH=Marshall Islands,
MK=North Macedonia/Macedonia, ML=Mali, MM=Myanmar, MN=Mongolia, MO=Macao/Macau, MP=Northern Mariana Islands,
MQ=Martinique, MR=Mauritania, MS=Montserrat, MT=Malta, MU=Mauritius, MV=Maldives, MW=Malawi, MX=Mexico, MY=Malaysia,
MZ=Mozambique
NA=Namibia, NC=New Caledonia, NE=Niger, NF=Norfolk Island, NG=Nigeria, NI=Nicaragua,
NL=Netherlands/The Netherlands/Holland/Nederland, NO=Norway/Norge, NP=Nepal, NR=Nauru, NU=Niue, NZ=New Zealand
OM=Oman
PA=Panama, PE=Peru, PF=French Polynesia, PG=Papua New Guinea, PH=Philippines, PK=Pakistan, PL=Poland/Polska,
PM=Saint Pierre and Miquelon, PN=Pitcairn, PR=Puerto Rico, PS=Palestine, PT=Portugal, PW=Palau, PY=Paraguay
QA=Qatar
RE=Réunion, RO=Romania, RS=Serbia, RU=Russia/Russian Federation, RW=Rwanda
SA=Saudi Arabia, SB=Solomon Islands, SC=Seychelles, SD=Sudan, SE=Sweden/Sverige, SG=Singapore, SH=Saint Helena,
SI=Slovenia, SJ=Svalbard and Jan Mayen, SK=Slovakia, SL=Sierra Leone, SM=San Marino, SN=Senegal, SO=Somalia,
SR=Suriname, SS=South Sudan, ST=Sao Tome and Principe, SV=El Salvador, SX=Sint Maarten, SY=Syria,
SZ=Eswatini/Swaziland
TC=Turks and Caicos Islands, TD=Chad, TF=French Southern Territories, TG=Togo, TH=Thailand, TJ=Tajikistan, TK=Tokelau,
TL=Timor-Leste, TM=Turkmenistan, TN=Tunisia, TO=Tonga, TR=Turkey/Türkiye, TT=Trinidad and Tobago, TV=Tuvalu,
TW=Taiwan, TZ=Tanzania
UA=Ukraine, UG=Uganda, UM=United States Minor Outlying Islands, US=United States/USA/United States of America,
UY=Uruguay, UZ=Uzbekistan
VA=Vatican City/Holy See, VC=Saint Vincent and the Grenadines, VE=Venezuela, VG=British Virgin Islands,
VI=U.S. Virgin Islands, VN=Vietnam/Viet Nam, VU=Vanuatu
WF=Wallis and Futuna, WS=Samoa
YE=Yemen, YT=Mayotte
ZA=South Africa/RSA, ZM=Zambia, ZW=Zimbabwe
"""


@cache
def _codes() -> dict[str, str]:
    codes = {}
    for entry in _NAMES.replace("\n", ",").split(","):
        code, _, names = entry.strip().partition("=")
        for name in (code, *names.split("/")):
            codes[name.casefold()] = code
    codes.pop("")
    return codes


def find_country(text: str) -> str | None:
    """The ISO 3166 code that `text` (a code or an English name) means; None when it means none."""
    return _codes().get(text.strip().casefold())
